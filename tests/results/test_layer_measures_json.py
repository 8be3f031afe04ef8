"""The measures of a layer as JSON: the keys of the file format, and the same values when they are read again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.layers import LayerMeasures, LevelPath

NAN = float("nan")
KEYS = """layer view depth features chi_pca chi_pca_low chi_pca_high chi_content_pca chi_content_pca_low chi_content_pca_high
degradation_share degradation_share_low degradation_share_high content_share content_share_low content_share_high interaction_share
interaction_share_low interaction_share_high knn_accuracy knn_accuracy_low knn_accuracy_high p_value n k chi_tsne chi_tsne_low
chi_tsne_high chi_content_tsne chi_content_tsne_low chi_content_tsne_high perplexity paths""".split()


@pytest.fixture
def layer() -> LayerMeasures:
    share = Estimate(0.3, 0.2, 0.4)
    return LayerMeasures(
        layer="body.1", view="pooled", depth=0.5, features=8, perplexity=30.0,
        chi_pca=Estimate(float("inf"), NAN, NAN), chi_content_pca=share, chi_tsne=share, chi_content_tsne=share,
        degradation_share=share, content_share=share, interaction_share=share, photo_share=None, knn_accuracy=share,
        p_value=0.001, n=18, k=3, paths=(LevelPath("blur", (0.0, 2.0), ((0.0, 1.0), (2.0, 3.0)), Estimate(NAN)),),
    )  # fmt: skip


def test_the_keys_are_those_of_the_file_format(layer: LayerMeasures) -> None:
    assert list(layer.to_json()) == KEYS
    assert list(layer.to_json()["paths"][0]) == [
        "family", "levels", "centroids", "spearman", "spearman_low", "spearman_high",
    ]  # fmt: skip
    assert "paths" not in replace(layer, paths=None).to_json()
    by_photo = list(replace(layer, photo_share=Estimate(0.1)).to_json())
    assert by_photo.index("photo_share") == KEYS.index("knn_accuracy")


def test_what_is_read_is_what_was_written(layer: LayerMeasures) -> None:
    assert "class_share_low" in replace(layer, class_share=Estimate(0.1)).to_json()
    for written in (
        layer,
        replace(layer, class_share=Estimate(0.1, 0.0, 0.2)),
        replace(layer, photo_share=Estimate(0.1, 0.0, 0.2), perplexity=None, paths=None),
    ):
        text = json.dumps(written.to_json())
        assert json.dumps(LayerMeasures.from_json(json.loads(text)).to_json()) == text
