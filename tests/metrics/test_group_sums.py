"""Measures from sums over images against those from the Gram matrix, whole and in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddrscope.embedding.gram import gram_matrix
from ddrscope.embedding.pca import GramPCA
from ddrscope.metrics.design import Design
from ddrscope.metrics.group_sums import PooledSums
from ddrscope.metrics.layer_measures import measure

KEYS = ("chi_pca", "degradation_share", "content_share", "interaction_share", "n", "k")


def features(images: int, groups: int, size: int, seed: int, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = (
        rng.normal(size=(1, groups, size))
        + 2 * rng.normal(size=(images, 1, size))
        + rng.normal(size=(images, groups, size))
    )
    return ((parts * rng.uniform(0.1, 10, size)) + offset).astype(np.float32)


def expected(cells: np.ndarray, components: int = 50) -> dict[str, float]:
    images, groups, size = cells.shape
    names = np.repeat(np.arange(images), groups)
    gram = gram_matrix(cells.reshape(-1, size), standardize=True)
    scores = GramPCA(components).fit_gram(gram).scores_
    return measure(scores, gram, Design(names, names, np.tile(np.arange(groups), images)), permutations=1)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 9),
    st.integers(2, 4),
    st.integers(2, 12),
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.floats(-1e4, 1e4),
)
def test_as_from_the_gram_matrix_whole_and_merged(
    images: int, groups: int, size: int, seed: int, cut: int, offset: float
) -> None:
    cells, components = features(images, groups, size, seed, offset), 3
    origin = cells[0].mean(axis=0)
    whole = PooledSums(groups, origin).update(cells)
    merged = PooledSums(groups, origin).update(cells[:cut]).merge(PooledSums(groups, origin).update(cells[cut:]))
    wanted, found, together = expected(cells, components), whole.measures(components), merged.measures(components)
    for key in KEYS:
        assert found[key] == pytest.approx(wanted[key], rel=1e-5, abs=1e-7), key
        assert together[key] == pytest.approx(found[key], rel=1e-7, abs=1e-9), key


def test_scores_are_those_of_pca() -> None:
    cells = features(30, 3, 8, 1)
    sums = PooledSums(3, cells[0, 0]).update(cells)
    mean, axes = sums.axes(4)
    scores = (cells.reshape(-1, 8) - mean) @ axes
    wanted = GramPCA(4, standardize=True).fit(cells.reshape(-1, 8)).scores_
    np.testing.assert_allclose(np.abs(scores), np.abs(wanted), rtol=1e-4, atol=1e-4)


def test_what_means_nothing_is_nan() -> None:
    flat = PooledSums(2, np.zeros(3)).update(np.ones((4, 2, 3), np.float32))
    assert np.isnan(flat.measures()["chi_pca"]) and np.isnan(flat.measures()["content_share"])
    assert np.isnan(PooledSums(2, np.zeros(3)).update(features(1, 2, 3, 0)).measures()["degradation_share"])
    with pytest.raises(ValueError, match="same groups"):
        PooledSums(2, np.zeros(3)).merge(PooledSums(2, np.ones(3)))
