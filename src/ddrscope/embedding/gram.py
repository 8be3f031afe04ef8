"""Exact Gram matrices, summed over blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

# Elements of a block of columns: 24 MB of float32 features, 48 MB once they are centred in float64.
_BLOCK_ELEMENTS = 6_000_000


class ColumnBlocks(Protocol):
    """A matrix of N rows and D features that is read by blocks of columns, and need not fit into memory."""

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        ...

    def column_blocks(self, width: int) -> Iterator[np.ndarray]:
        """All columns in order, as float32 (N, w) blocks with w <= ``width``."""
        ...


class NonFiniteRow(ValueError):
    """A feature is NaN or infinite. ``row`` is the first such row."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} holds NaN or infinite features")
        self.row = row


def gram_matrix(
    features: ColumnBlocks | np.ndarray, standardize: bool = False, products: type[np.floating] = np.float64
) -> NDArray[np.float64]:
    """The inner products between the centred feature vectors of N rows.

    Args:
        features: Features (N, D).
        standardize: Scale each column to unit population variance. A column that varies by no more than float32 rounding
            is constant and contributes nothing.
        products: Type in which the centred features are multiplied; sums over blocks are float64. float32 is twice as
            fast as float64, with errors of 1e-7 of the largest entry.

    Returns:
        The Gram matrix (N, N). Columns are centred in float64 before they are multiplied, so that a large mean costs no
        digits.

    Raises:
        NonFiniteRow: A feature is NaN or infinite.
    """
    gram = np.zeros((features.shape[0], features.shape[0]))
    for block in _column_blocks(features):
        centred = _centred(block, standardize, products)
        gram += centred @ centred.T
    return gram


def _column_blocks(features: ColumnBlocks | np.ndarray) -> Iterator[np.ndarray]:
    width = max(1, _BLOCK_ELEMENTS // features.shape[0])
    if isinstance(features, np.ndarray):
        return (features[:, start : start + width] for start in range(0, features.shape[1], width))
    return features.column_blocks(width)


def _centred(block: np.ndarray, standardize: bool, products: type[np.floating]) -> np.ndarray:
    if products is np.float32 and not standardize:
        return _centred_float32(block)
    mean = block.mean(axis=0, dtype=np.float64)
    if not np.isfinite(mean).all():
        _require_finite(block)
    centred = block - mean
    if standardize:
        deviation = block.std(axis=0, dtype=np.float64)
        constant = deviation <= 8 * np.finfo(np.float32).eps * np.abs(mean)
        centred = centred * np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
    return centred.astype(products, copy=False)


def _centred_float32(block: np.ndarray) -> np.ndarray:
    """The centred block, computed by all threads of PyTorch. The rounding of the mean is below that of the features."""
    values = torch.from_numpy(block)
    # Relative to the first row, so that a constant column becomes exactly 0.
    mean = values[0] + (values - values[0]).mean(0)
    if not mean.isfinite().all():
        _require_finite(block)
    return (values - mean).numpy()


def _require_finite(block: np.ndarray) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise NonFiniteRow(int(finite.argmin()))
