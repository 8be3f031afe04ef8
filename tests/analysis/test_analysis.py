from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddrscope.analysis import Analysis, AnalysisResult, AnalysisSettings, analyze
from ddrscope.analysis.verdicts import answer, comparisons, verdicts
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.networks import Network, load_network, save_network
from ddrscope.networks.architectures.srresnet import SRResNet


@pytest.fixture(scope="module")
def whole() -> AnalysisResult:
    """All bundled photographs, none of which was trained on; the last HR layer only."""
    return analyze(crop=64, layers=(), tsne_seeds=1)


def test_with_global_residual_features_gather_by_degradation_without_by_content(whole: AnalysisResult) -> None:
    for view in ("flattened", "pooled"):
        with_residual, without = whole.layer("srresnet-wgr", view), whole.layer("srresnet-wogr", view)
        for measure in ("degradation_share", "chi_pca"):
            assert with_residual[f"{measure}_low"] > without[f"{measure}_high"]
        for measure in ("content_share", "chi_content_pca"):
            assert with_residual[f"{measure}_high"] < without[f"{measure}_low"]


def test_controls_show_nothing(whole: AnalysisResult) -> None:
    frame = whole.to_frame()
    asked = frame[(frame["network"] == "srresnet-wgr") & (frame["control"] == "")]["degradation_share_low"].min()
    for kind in ("random_weights", "pixels", "shuffled_labels"):
        assert (frame[frame["control"] == kind]["degradation_share"] < asked).all()
    shuffled = frame[frame["control"] == "shuffled_labels"]
    assert (shuffled["degradation_share"].abs() < 0.05).all() and (shuffled["p_value"] > 0.001).all()


def test_the_same_settings_give_the_same_numbers_whatever_the_threads(small_result: AnalysisResult) -> None:
    again = analyze(
        degradations=["clean", "blur:2", "blur:4"],
        limit=6,
        crop=64,
        layers=("body.7", "body.15"),
        tsne_seeds=1,
        threads=2,
    )
    assert _close(again.data["networks"], small_result.data["networks"])
    np.testing.assert_array_equal(again.embedding[["x", "y"]], small_result.embedding[["x", "y"]])


def write_checkpoint(path: Path, seed: int) -> str:
    torch.manual_seed(seed)
    save_network(path, SRResNet(channels=4, blocks=1), {"architecture": "SRResNet", "global_residual": "true"})
    return str(path)


def small_settings(networks: tuple[str, ...], **options: Any) -> AnalysisSettings:
    return AnalysisSettings(
        networks, **{"limit": 4, "crop": 32, "layers": (), "views": ("pooled",), "tsne_seeds": 1} | options
    )


def test_a_resumed_run_gives_what_an_unbroken_one_gives(tmp_path: Path) -> None:
    # Crops of one photograph: no neighbours in another, so accuracy and intervals are NaN.
    settings = small_settings(
        (write_checkpoint(tmp_path / "a.safetensors", 0),), images=(f"{bundled_photos()}/astronaut__*.png",)
    )
    unbroken, resumed = (Analysis(settings, tmp_path / "parts").run() for _ in range(2))
    assert np.isnan(unbroken.data["networks"][0]["layers"][0]["knn_accuracy"])
    for key in ("networks", "controls", "verdicts"):
        assert _close(resumed.data[key], unbroken.data[key])


def test_a_resumed_run_measures_the_weights_and_images_that_are_there(tmp_path: Path) -> None:
    path, images = tmp_path / "a.safetensors", tmp_path / "images"
    images.mkdir()
    photos = sorted(bundled_photos().glob("*__1.png"))
    for photo in photos[:4]:
        (images / photo.name).symlink_to(photo)
    settings = small_settings((write_checkpoint(path, 0),), images=(str(images),), limit=None)
    Analysis(settings, tmp_path / "parts").run()
    write_checkpoint(path, 1)
    resumed, unbroken = (Analysis(settings, tmp_path / folder).run().data for folder in ("parts", "fresh"))
    assert _close(resumed["networks"], unbroken["networks"])
    (images / photos[4].name).symlink_to(photos[4])
    assert Analysis(settings, tmp_path / "parts").run().data["networks"][0]["layers"][0]["n"] == 15


def test_a_resumed_series_takes_in_a_checkpoint_written_since(tmp_path: Path) -> None:
    settings = small_settings((), series={"mine": str(tmp_path / "*.safetensors")})
    for seed in (1, 3):
        write_checkpoint(tmp_path / f"step-{seed}.safetensors", seed)
    Analysis(settings, tmp_path / "parts").run()
    write_checkpoint(tmp_path / "step-2.safetensors", 2)
    resumed, again, unbroken = (
        Analysis(settings, tmp_path / folder).run().data for folder in ("parts", "parts", "fresh")
    )
    assert [checkpoint["label"] for checkpoint in resumed["series"][0]["checkpoints"]] == ["step-1", "step-2", "step-3"]
    for data in (resumed, again):
        assert _close(data["series"], unbroken["series"]) and _close(data["controls"], unbroken["controls"])


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_close, one, other))
    return one == pytest.approx(other, nan_ok=True) if isinstance(one, float) else one == other


class Poisoned(nn.Module):
    """Gives NaN for dark images only."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        return self.last(features / (x.mean(dim=(1, 2, 3), keepdim=True) > 0.05))


def test_nan_features_name_layer_image_and_degradation() -> None:
    network = network_from_poisoned()
    with pytest.raises(InputError, match=r"last:input: the features of \S+ under brightness:-255"):
        analyze(network, degradations=["clean", "brightness:-255"], limit=5, crop=64, layers=())


def network_from_poisoned() -> Network:
    return Network("poisoned", Poisoned(), scale=1, channels=3, architecture="Poisoned")


@pytest.mark.parametrize(
    "degradation, content, expected",
    [
        ((0.5, 0.6), (0.1, 0.2), "degradation"),
        ((0.1, 0.2), (0.5, 0.6), "content"),
        ((0.1, 0.5), (0.4, 0.6), "undecided"),
        ((-0.01, 0.01), (-0.01, 0.01), "neither"),
        ((float("nan"),) * 2, (float("nan"),) * 2, "undecided"),
    ],
)
def test_the_rule_of_the_verdict(degradation: tuple[float, float], content: tuple[float, float], expected: str) -> None:
    row = {
        "degradation_share_low": degradation[0],
        "degradation_share_high": degradation[1],
        "content_share_low": content[0],
        "content_share_high": content[1],
    }
    assert answer(row) == expected


def test_networks_whose_intervals_overlap_are_not_told_apart() -> None:
    def entry(name: str, value: float) -> dict[str, Any]:
        row = {
            "view": "pooled",
            "degradation_share": value,
            "degradation_share_low": value - 0.1,
            "degradation_share_high": value + 0.1,
        }
        return {"name": name, "layers": [row]}

    [found] = comparisons([entry("a", 0.3), entry("b", 0.8), entry("c", 0.75)], balanced=True)
    assert found["ranking"] == ["b", "c", "a"]
    assert "not told apart from c" in found["sentence"] and "more than a" in found["sentence"]


def test_a_layer_that_never_varies_is_neither_strongest_nor_first() -> None:
    def entry(name: str, *values: float) -> dict[str, Any]:
        keys = [f"{kind}_share{end}" for kind in ("degradation", "content") for end in ("", "_low", "_high")]
        known = {"view": "pooled", "knn_accuracy": 0.5, "k": 3, "n": 9}
        rows = [known | {"layer": f"{value}"} | dict.fromkeys(keys, value) for value in values]
        return {"name": name, "layers": rows}

    dead, alive = entry("dead", 0.5, float("nan")), entry("alive", float("nan"), 0.5, 0.2)
    assert [found["layer"] for found in verdicts([dead, alive], [], balanced=True)] == ["0.5", "0.5"]
    assert comparisons([dead, alive], balanced=True)[0]["ranking"] == ["alive", "dead"]


@pytest.mark.parametrize("options", [{"content": "photograph"}, {"precision": "float16"}])
def test_words_that_are_none_of_the_choices_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="is unknown: choose"):
        AnalysisSettings(**options)  # type: ignore[arg-type]


def test_every_bundled_network_is_loaded_with_its_residual() -> None:
    assert load_network("srresnet-wgr").global_residual is True
    assert load_network("srresnet-wogr").global_residual is False
