"""Gram matrix, PCA and the t-SNE map, against numpy in float64 and scikit-learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ddrscope.embedding.gram import NonFiniteRow, gram_matrix
from ddrscope.embedding.pca import pca_scores
from ddrscope.embedding.tsne import TsneMap
from ddrscope.errors import InputError


class Streamed:
    """Features that can be read by narrow blocks of columns only."""

    def __init__(self, values: np.ndarray, width: int = 7) -> None:
        self.values, self.width, self.shape = values, width, values.shape

    def column_blocks(self, width: int) -> Iterator[np.ndarray]:
        for start in range(0, self.shape[1], min(width, self.width)):
            yield self.values[:, start : start + min(width, self.width)]


@pytest.fixture
def badly_scaled() -> np.ndarray:
    """Float32 columns with means of 10,000 times their spread and spreads that differ by a million; one is constant."""
    random = np.random.default_rng(3)
    spread = np.logspace(-3, 3, 200)
    features = random.normal(size=(30, 200)) * spread + 1e4 * random.normal(size=200) * spread
    features[:, 17] = 1 / 3
    return features.astype(np.float32)


def reference_gram(features: np.ndarray, standardize: bool) -> np.ndarray:
    wide = features.astype(np.float64)
    centred = StandardScaler(with_std=standardize).fit_transform(wide)
    return centred @ centred.T


@pytest.mark.parametrize("standardize", [False, True])
def test_gram_of_badly_scaled_features_is_exact(badly_scaled: np.ndarray, standardize: bool) -> None:
    expected = reference_gram(badly_scaled, standardize)
    for features in (badly_scaled, Streamed(badly_scaled)):
        gram = gram_matrix(features, standardize)
        np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_products_in_float32_lose_no_more_than_their_rounding() -> None:
    random = np.random.default_rng(0)
    # A mean a thousand times the differences: centred first, it costs nothing.
    features = (random.normal(size=(60, 3000)) + 1000).astype(np.float32)
    exact, rounded = gram_matrix(features), gram_matrix(features, products=np.float32)
    assert np.abs(exact - rounded).max() < 1e-5 * exact.max()


def test_columns_that_vary_by_rounding_only_count_as_constant() -> None:
    features = np.ones((8, 2), np.float32)
    features[3, 0] = np.nextafter(np.float32(1), np.float32(2))
    assert not gram_matrix(features, standardize=True).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_features_name_their_row(value: float) -> None:
    features = np.zeros((6, 20), np.float32)
    features[4, 11] = value
    with pytest.raises(NonFiniteRow) as caught:
        gram_matrix(Streamed(features))
    assert caught.value.row == 4
    with pytest.raises(NonFiniteRow, match="row 4"):
        gram_matrix(features, products=np.float32)


@pytest.mark.parametrize("shape", [(40, 300), (60, 12)])
@pytest.mark.parametrize("standardize", [False, True])
def test_pca_agrees_with_scikit_learn(shape: tuple[int, int], standardize: bool) -> None:
    random = np.random.default_rng(1)
    features = (random.normal(size=shape) * np.linspace(0.1, 3, shape[1]) + 50).astype(np.float32)
    scores = pca_scores(gram_matrix(Streamed(features), standardize), 10)
    scaled = StandardScaler(with_std=standardize).fit_transform(features.astype(np.float64))
    expected = PCA(10, svd_solver="full").fit_transform(scaled)
    signs = np.sign((scores * expected).sum(axis=0))
    np.testing.assert_allclose(scores, expected * signs, atol=1e-8 * np.abs(expected).max())


def test_pca_keeps_no_more_components_than_the_rank_and_fixes_signs() -> None:
    random = np.random.default_rng(4)
    features = random.normal(size=(20, 3)) @ random.normal(size=(3, 100))
    scores = pca_scores(gram_matrix(features))
    assert scores.shape == (20, 3)
    assert (scores.max(axis=0) >= -scores.min(axis=0)).all()
    np.testing.assert_allclose(pca_scores(gram_matrix(-features)).max(axis=0), np.abs(scores).max(axis=0))
    assert pca_scores(gram_matrix(random.normal(size=(20, 100)))).shape == (20, 19)
    assert pca_scores(np.zeros((6, 6))).shape == (6, 0)


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(6)
    labels = np.repeat(np.arange(3), 20)
    return random.normal(size=(60, 10)) + 20 * np.eye(3, 10)[labels], labels


def test_tsne_is_deterministic_and_does_not_depend_on_scale(clusters: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = clusters
    plane = TsneMap(seed=1).fit(points).embedding_
    np.testing.assert_array_equal(plane, TsneMap(seed=1).fit(points).embedding_)
    np.testing.assert_array_equal(plane, TsneMap(seed=1).fit(points * 2.0**-60).embedding_)
    assert not np.array_equal(plane, TsneMap(seed=2).fit(points).embedding_)


def test_tsne_places_new_points_without_moving_the_old(clusters: tuple[np.ndarray, np.ndarray]) -> None:
    points, labels = clusters
    new = 20 * np.eye(3, 10)
    tsne = TsneMap().fit(points)
    before = tsne.embedding_.copy()
    centroids = np.stack([before[labels == label].mean(axis=0) for label in range(3)])
    placed = tsne.transform(new)
    distances = np.linalg.norm(placed[:, None] - centroids, axis=2)
    assert distances.argmin(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(tsne.transform(new[1:2]), placed[1:2], atol=1e-4)
    np.testing.assert_array_equal(tsne.embedding_, before)


def test_tsne_lowers_its_perplexity_for_few_points(clusters: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = clusters
    small = TsneMap().fit(points[:31])
    assert small.perplexity_ == 10
    assert "only 31 points" in small.adapted_
    assert np.isfinite(small.embedding_).all() and np.isfinite(small.transform(points[31:33])).all()
    assert TsneMap(perplexity=5).fit(points).adapted_ == ""
    with pytest.raises(InputError, match="at least 5 points, not 4"):
        TsneMap().fit(points[:4])


@pytest.mark.parametrize("kind", ["duplicates", "line", "two spots", "one spot", "no columns"])
def test_tsne_of_degenerate_points_is_finite(kind: str) -> None:
    points = np.random.default_rng(7).normal(size=(24, 5))
    points = {
        "duplicates": np.repeat(points[:8], 3, axis=0),
        "line": points[:, :1],
        "two spots": np.repeat(points[:2], 12, axis=0),
        "one spot": np.full((24, 5), 0.1),
        "no columns": points[:, :0],
    }[kind]
    tsne = TsneMap().fit(points)
    assert tsne.embedding_.shape == (24, 2) and np.isfinite(tsne.embedding_).all()
    assert np.isfinite(tsne.transform(points[:3])).all()
    assert tsne.embedding_.any() == (kind not in ("one spot", "no columns"))
