"""Exact PCA from a Gram matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh


def pca_scores(gram: NDArray[np.float64], components: int = 50) -> NDArray[np.float64]:
    """The principal component scores of N rows, from the eigenvectors of their Gram matrix.

    For N rows of D features with N << D this is exact and much faster than the PCA of the features.

    Args:
        gram: Centred Gram matrix (N, N), as `ddrscope.embedding.gram.gram_matrix` gives it.
        components: Number of components.

    Returns:
        Scores (N, r), r the smaller of ``components`` and the rank of the matrix. The score of largest magnitude in each
        component is positive, as in scikit-learn's u-based `svd_flip`.
    """
    rows = len(gram)
    kept = min(components, rows)
    values, vectors = eigh(gram, subset_by_index=(rows - kept, rows - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = np.count_nonzero(values > values[0] * rows * np.finfo(float).eps)
    values, vectors = values[:rank], vectors[:, :rank]
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(rank)])
    return vectors * signs * np.sqrt(values)
