"""From features to a plane: exact Gram matrix by column blocks, PCA from it, a t-SNE map that can place new points."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from openTSNE import TSNE
from openTSNE.initialization import pca as pca_initialization
from scipy.linalg import eigh

from ddrscope.errors import InputError

# Elements of one column block: 24 MB of float32 features, 48 MB once centred in float64.
BLOCK_ELEMENTS = 6_000_000


class ColumnBlocks(Protocol):
    """A matrix of N pictures by D features that is read by column blocks and never held whole."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def column_blocks(self, width: int) -> Iterator[np.ndarray]:
        """Successive float32 (N, w) blocks, w <= width, that together hold every column once, in order."""
        ...


Features = ColumnBlocks | np.ndarray


class NonFiniteRow(ValueError):
    """A feature is NaN or infinite; `row` is the first such row (the caller knows which layer and picture that is)."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} holds NaN or infinite features")
        self.row = row


class GramMatrix:
    """Inner products between the *centred* feature vectors of N pictures, a sum over slices of the features.

    Every block holds all N rows, so its columns are centred exactly, in float64, before they are multiplied: a mean
    that dwarfs the differences costs no digits. With `standardize`, each column is also scaled to unit (population)
    variance; a column that does not vary beyond float32 rounding counts as constant and contributes nothing.
    With `products` float32 the centred features are rounded to it and multiplied there, sums over blocks staying in
    float64: twice as fast, and right to about 1e-7 of the largest entry.
    """

    def __init__(self, rows: int, standardize: bool = False, products: type[np.floating] = np.float64) -> None:
        self.standardize = standardize
        self.products = products
        self.value = np.zeros((rows, rows))

    def update(self, block: np.ndarray) -> None:
        """Adds the columns of `block`, (N, w); raises NonFiniteRow on NaN or infinity."""
        if self.products is np.float32 and not self.standardize:
            centred = _centred(block)
        else:
            mean, scale = _column_moments(block, self.standardize)
            centred = ((block - mean) * scale).astype(self.products, copy=False)
        self.value += centred @ centred.T

    def merge(self, other: GramMatrix) -> None:
        """Adds the columns another machine or thread has seen: the same N rows, other columns."""
        if (other.value.shape, other.standardize) != (self.value.shape, self.standardize):
            raise ValueError("only Gram matrices of the same rows and the same standardization merge")
        self.value += other.value


def gram_matrix(features: Features, standardize: bool = False, products: type[np.floating] = np.float64) -> np.ndarray:
    """The centred (N, N) float64 Gram matrix of (N, D) features; raises NonFiniteRow on NaN or infinity."""
    gram = GramMatrix(features.shape[0], standardize, products)
    for block in _column_blocks(features):
        gram.update(block)
    return gram.value


class GramPCA:
    """Exact PCA of N pictures by D features, N << D, from the eigenvectors of their Gram matrix.

    After `fit`: `scores_` (N, r), r = min(n_components, rank), and `explained_variance_ratio_` (r,). Signs are fixed
    as in scikit-learn's u-based `svd_flip`, which needs no loadings: the score of largest magnitude in each component
    is positive.
    """

    def __init__(self, n_components: int = 50, standardize: bool = False) -> None:
        self.n_components = n_components
        self.standardize = standardize
        self._features: Features | None = None

    def fit(self, features: Features) -> GramPCA:
        """Fits on (N, D) features and keeps a reference to them, which `transform` reads again."""
        self.fit_gram(gram_matrix(features, self.standardize))
        self._features = features
        return self

    def fit_gram(self, gram: np.ndarray) -> GramPCA:
        """Fits on a centred (N, N) Gram matrix; new points cannot be placed then."""
        rows = len(gram)
        kept = min(self.n_components, rows)
        eigenvalues, vectors = eigh(gram, subset_by_index=(rows - kept, rows - 1))
        eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
        rank = np.count_nonzero(eigenvalues > eigenvalues[0] * rows * np.finfo(float).eps)
        eigenvalues, vectors = eigenvalues[:rank], vectors[:, :rank]
        largest = np.abs(vectors).argmax(axis=0)
        vectors = vectors * np.sign(vectors[largest, np.arange(rank)])

        self._features = None
        self.scores_ = vectors * np.sqrt(eigenvalues)
        self.explained_variance_ratio_ = eigenvalues / np.trace(gram)
        # The centred features of a new row, times the fitted ones, times this, are the new row's scores.
        self._dual = vectors / np.sqrt(eigenvalues)
        return self

    def transform(self, features: Features) -> np.ndarray:
        """Scores (M, r) of new (M, D) features on the fitted components; reads both matrices by column blocks."""
        if self._features is None:
            raise ValueError("fitted on a Gram matrix alone: only GramPCA.fit(features) can place new points")
        if features.shape[1] != self._features.shape[1]:
            raise ValueError(f"{features.shape[1]} features per row, fitted on {self._features.shape[1]}")
        width = _block_width(max(features.shape[0], self._features.shape[0]))
        inner = np.zeros((features.shape[0], self._features.shape[0]))
        for fitted, new in zip(_column_blocks(self._features, width), _column_blocks(features, width), strict=True):
            mean, scale = _column_moments(fitted, self.standardize)
            _require_finite(new)
            inner += ((new - mean) * scale) @ ((fitted - mean) * scale).T
        return inner @ self._dual


class TsneMap:
    """A t-SNE plane of N points: openTSNE with its defaults and exact neighbours, Barnes-Hut below 10,000 points.

    The same seed, points and library versions give the same plane when `threads` is 1; several threads may change the
    last digits, and with them the plane. The start is the first two principal components plus a small jitter drawn
    from `seed`. Perplexity is lowered to (N - 1) / 3, the most that N points support, when that is less than asked:
    `perplexity_` is what was used and `adapted_` says so in words (else empty). Points that all coincide stay in one
    spot.

    Raises InputError for fewer than 5 points.
    """

    MIN_POINTS = 5

    def __init__(self, seed: int = 0, perplexity: float = 30, threads: int = 1) -> None:
        self.seed = seed
        self.perplexity = perplexity
        self.threads = threads

    def fit(self, points: np.ndarray) -> TsneMap:
        """Maps (N, d) points, usually PCA scores, to `embedding_` (N, 2), the box around it centred on the origin."""
        count = len(points)
        if count < self.MIN_POINTS:
            raise InputError(
                f"t-SNE needs at least {self.MIN_POINTS} points, here are {count}: add pictures or degradations"
            )
        self.perplexity_ = min(float(self.perplexity), (count - 1) / 3)
        self.adapted_ = ""
        if self.perplexity_ < self.perplexity:
            self.adapted_ = f"perplexity {self.perplexity_:.3g} instead of {self.perplexity:g}: only {count} points"

        self._unit = np.ptp(points, axis=0).max(initial=0)
        if self._unit == 0:
            self.embedding_ = np.zeros((count, 2))
            return self
        scaled = self._scaled(points)
        tsne = TSNE(perplexity=self.perplexity_, neighbors="exact", n_jobs=self.threads, random_state=self.seed)
        self._map = tsne.fit(scaled, initialization=pca_initialization(scaled, random_state=self.seed))
        # openTSNE's transform first moves its map to this centre; being there already keeps old and new together.
        self._map -= (self._map.max(axis=0) + self._map.min(axis=0)) / 2
        self.embedding_ = np.array(self._map)
        return self

    def transform(self, points: np.ndarray, many: bool = False) -> np.ndarray:
        """Places (M, d) new points on the fitted plane, each by itself, without moving the old ones; returns (M, 2).

        With `many` what pushes a point away is read off a grid over the plane, computed once, as openTSNE does of its own accord from
        10,000 points at a time on: many times as fast, and nearly the same place.
        """
        if self._unit == 0:
            return np.zeros((len(points), 2))
        if not many:
            # A grid that was computed before would still bound where points may go.
            self._map.interp_coeffs = self._map.box_x_lower_bounds = self._map.box_y_lower_bounds = None
        self._map.gradient_descent_params |= {"negative_gradient_method": "fft" if many else "auto", "n_jobs": self.threads}
        # 5 is openTSNE's default for new points.
        return np.array(self._map.transform(self._scaled(points), perplexity=min(5.0, self.perplexity_)))

    def _scaled(self, points: np.ndarray) -> np.ndarray:
        # t-SNE does not depend on scale, its numerics do. The start needs two columns even if the points lie on a line.
        missing = max(0, 2 - points.shape[1])
        return np.pad(points / self._unit, ((0, 0), (0, missing)))


def _block_width(rows: int) -> int:
    return max(1, BLOCK_ELEMENTS // rows)


def _column_blocks(features: Features, width: int | None = None) -> Iterator[np.ndarray]:
    width = width or _block_width(features.shape[0])
    if isinstance(features, np.ndarray):
        return (features[:, start : start + width] for start in range(0, features.shape[1], width))
    return features.column_blocks(width)


def _column_moments(block: np.ndarray, standardize: bool) -> tuple[np.ndarray, np.ndarray | float]:
    """Mean (w,) and the factor that standardizes each column of a block (1 without standardization), in float64."""
    mean = block.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        _require_finite(block)
    if not standardize:
        return mean, 1.0
    deviation = block.std(axis=0, dtype=np.float64)
    constant = deviation <= 8 * np.finfo(np.float32).eps * np.abs(mean)
    return mean, np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))


def _centred(block: np.ndarray) -> np.ndarray:
    """A float32 block less its columns' means, by all threads; rounding the means costs less than the features' own rounding."""
    values = torch.from_numpy(block)
    # Summed from the first row on, so that a column that does not vary becomes exactly nought.
    mean = values[0] + (values - values[0]).mean(0)
    if not mean.isfinite().all():
        _require_finite(block)
    return (values - mean).numpy()


def _require_finite(block: np.ndarray) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise NonFiniteRow(int(finite.argmin()))
