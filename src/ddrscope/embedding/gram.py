"""Exact Gram matrices, summed over blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

# Elements of one column block: 24 MB of float32 features, 48 MB once centred in float64.
BLOCK_ELEMENTS = 6_000_000


class ColumnBlocks(Protocol):
    """A matrix of N images by D features that is read by column blocks and never held whole."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def column_blocks(self, width: int) -> Iterator[np.ndarray]:
        """Successive float32 (N, w) blocks, w <= width, that together hold every column once, in order."""
        ...


Features = ColumnBlocks | np.ndarray


class NonFiniteRow(ValueError):
    """A feature is NaN or infinite; `row` is the first such row (the caller knows which layer and image that is)."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} holds NaN or infinite features")
        self.row = row


class GramMatrix:
    """Inner products between the *centred* feature vectors of N images, a sum over slices of the features.

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
