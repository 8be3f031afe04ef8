"""Measures from sums over images against those from the Gram matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ddrscope.embedding.gram import gram_matrix
from ddrscope.embedding.pca import pca_scores
from ddrscope.metrics.design import Design
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.group_sums import PairedSums
from ddrscope.metrics.layer_measures import measure
from ddrscope.metrics.measures import Measures

KEYS = ("chi_pca", "degradation_share", "content_share", "interaction_share", "n", "k")


def features(images: int, groups: int, size: int, seed: int, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = (
        rng.normal(size=(1, groups, size))
        + 2 * rng.normal(size=(images, 1, size))
        + rng.normal(size=(images, groups, size))
    )
    return ((parts * rng.uniform(0.1, 10, size)) + offset).astype(np.float32)


def expected(cells: np.ndarray, components: int = 50) -> Measures:
    images, groups, size = cells.shape
    names = np.repeat(np.arange(images), groups)
    gram = gram_matrix(cells.reshape(-1, size), standardize=True)
    scores = pca_scores(gram, components)
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
def test_as_from_the_gram_matrix_at_once_and_in_parts(
    images: int, groups: int, size: int, seed: int, cut: int, offset: float
) -> None:
    cells, components = features(images, groups, size, seed, offset), 3
    origin = cells[0].mean(axis=0)
    whole = PairedSums(groups, origin).add_images(cells).measures(components)
    parts = PairedSums(groups, origin).add_images(cells[:cut]).add_images(cells[cut:]).measures(components)
    reference = expected(cells, components)
    for key in KEYS:
        value = getattr(reference, key)
        value = value.value if isinstance(value, Estimate) else value
        assert getattr(whole, key) == pytest.approx(value, rel=1e-5, abs=1e-7), key
        assert getattr(parts, key) == pytest.approx(getattr(whole, key), rel=1e-7, abs=1e-9), key


def test_scores_are_those_of_pca() -> None:
    cells = features(30, 3, 8, 1)
    rows = cells.reshape(-1, 8)
    mean, axes = PairedSums(3, cells[0, 0]).add_images(cells).axes(4)
    expected_scores = PCA(4).fit_transform(StandardScaler().fit_transform(rows.astype(float)))
    np.testing.assert_allclose(np.abs((rows - mean) @ axes), np.abs(expected_scores), rtol=1e-4, atol=1e-4)


def test_measures_that_are_not_defined_are_nan() -> None:
    constant = PairedSums(2, np.zeros(3)).add_images(np.ones((4, 2, 3), np.float32)).measures()
    assert np.isnan(constant.chi_pca) and np.isnan(constant.content_share or 0)
    single = PairedSums(2, np.zeros(3)).add_images(features(1, 2, 3, 0)).measures()
    assert np.isnan(single.degradation_share or 0)
