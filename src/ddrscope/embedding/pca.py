"""Exact PCA from a Gram matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from ddrscope.embedding.gram import (
    Features,
    _block_width,
    _column_blocks,
    _column_moments,
    _require_finite,
    gram_matrix,
)


class GramPCA:
    """Exact PCA of N images by D features, N << D, from the eigenvectors of their Gram matrix.

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
