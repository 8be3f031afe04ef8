"""Measures of pooled features from sums over rows, for more rows than fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Float = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True)
class GroupMeasures:
    """Measures of features that need sums only, without intervals.

    Args:
        chi_pca: Calinski-Harabasz index by group on PCA scores of standardized features. NaN if there is one group, a
            group is empty, no group has two rows, or the features do not vary.
        n: Number of rows.
        k: Number of groups.
        degradation_share: Share of the variance, see `ddrscope.metrics.variance_shares`. NaN for fewer than two images
            or groups, and for features that do not vary; None if the rows are not images in each group.
        content_share: Likewise.
        interaction_share: Likewise.
    """

    chi_pca: float
    n: int
    k: int
    degradation_share: float | None = None
    content_share: float | None = None
    interaction_share: float | None = None


class GroupSums:
    """Sums over rows of pooled features in groups; their size does not depend on the number of rows.

    Columns are standardized as in `ddrscope.embedding.gram.gram_matrix`, so the index is that of
    `ddrscope.metrics.measure`.

    Args:
        groups: Number of groups k.
        origin: A point (D,) near the mean of the features. It is subtracted from every row, which keeps digits.
    """

    def __init__(self, groups: int, origin: NDArray[np.floating]) -> None:
        self.origin = np.asarray(origin, dtype=np.float64)
        size = len(self.origin)
        self.counts = np.zeros(groups, np.int64)
        self.by_group = np.zeros((groups, size))
        self.products = np.zeros((size, size))

    def add(self, rows: NDArray[np.floating], codes: NDArray[np.integer]) -> Self:
        """Add rows (n, D) whose groups are ``codes`` (n,), 0..k-1."""
        rows = rows - self.origin
        for code in np.unique(codes):
            self.by_group[code] += rows[codes == code].sum(axis=0)
        self.counts += np.bincount(codes, minlength=len(self.counts))
        self.products += rows.T @ rows
        return self

    def axes(self, components: int = 50) -> tuple[Float, Float]:
        """The PCA of the standardized features.

        Args:
            components: The largest number of components r; there are no more than the rank of the features.

        Returns:
            The mean (D,) and the axes (D, r): the scores of features x are ``(x - mean) @ axes``.
        """
        mean, scale, scatter = self._standardized()
        kept = min(components, len(scatter))
        values, vectors = eigh(scatter, subset_by_index=(len(scatter) - kept, len(scatter) - 1))
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = max(1, int(np.count_nonzero(values > values[0] * len(scatter) * np.finfo(float).eps)))
        return mean + self.origin, scale[:, None] * vectors[:, :rank]

    def measures(self, components: int = 50) -> GroupMeasures:
        """The measures of the rows added so far, the index on ``components`` principal components."""
        return GroupMeasures(self._chi_pca(components), int(self.counts.sum()), len(self.counts))

    def _chi_pca(self, components: int) -> float:
        count, groups = int(self.counts.sum()), len(self.counts)
        if groups < 2 or count <= groups or not self.counts.all():
            return NAN
        mean, _, scatter = self._standardized()
        if np.trace(scatter) == 0:
            return NAN
        _, axes = self.axes(components)
        total = float(np.einsum("dr,de,er->", axes, self._scatter(mean), axes))
        offsets = self.by_group / self.counts[:, None] - mean
        between = float(self.counts @ np.square(offsets @ axes).sum(axis=1))
        within = total - between
        return between / (groups - 1) / (within / (count - groups)) if within > 0 else float("inf")

    def _scatter(self, mean: Float) -> Float:
        return self.products - self.counts.sum() * np.outer(mean, mean)

    def _standardized(self) -> tuple[Float, Float, Float]:
        """Mean minus origin, the factor that standardizes each column, and the scatter of standardized columns."""
        count = self.counts.sum()
        mean = self.by_group.sum(axis=0) / count
        scatter = self._scatter(mean)
        deviation = np.sqrt(scatter.diagonal().clip(min=0) / count)
        # A column that varies by no more than the float32 rounding of its features is constant.
        constant = deviation <= 8 * np.finfo(np.float32).eps * np.abs(mean + self.origin)
        scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
        return mean, scale, scatter * np.outer(scale, scale)


class PairedSums(GroupSums):
    """`GroupSums` of images that each have one row in every group (degradation), which also gives the variance shares."""

    def __init__(self, groups: int, origin: NDArray[np.floating]) -> None:
        super().__init__(groups, origin)
        # Sum over images of the square of the sum of their rows.
        self.image_squares = np.zeros(len(self.origin))

    def add_images(self, cells: NDArray[np.floating]) -> Self:
        """Add images: (P, k, D), the groups always in the same order."""
        cells = cells - self.origin
        rows = cells.reshape(-1, cells.shape[2])
        self.counts += len(cells)
        self.by_group += cells.sum(axis=0)
        self.products += rows.T @ rows
        self.image_squares += np.square(cells.sum(axis=1)).sum(axis=0)
        return self

    def measures(self, components: int = 50) -> GroupMeasures:
        """As `GroupSums.measures`, with the variance shares."""
        return GroupMeasures(
            self._chi_pca(components), int(self.counts.sum()), len(self.counts), *self._variance_shares()
        )

    def _variance_shares(self) -> tuple[float, float, float]:
        """Degradation, content and interaction share, by the formulas of `ddrscope.metrics.variance_shares`."""
        groups, images, count = len(self.counts), int(self.counts[0]), int(self.counts.sum())
        if groups < 2 or images < 2:
            return NAN, NAN, NAN
        mean, scale, scatter = self._standardized()
        total = float(np.trace(scatter))
        if total == 0:
            return NAN, NAN, NAN
        offsets = self.by_group / images - mean
        ss_degradation = images * float(np.square(offsets * scale).sum())
        ss_content = float(((self.image_squares / groups - count * mean**2) * scale**2).sum())
        ms_interaction = (total - ss_degradation - ss_content) / ((images - 1) * (groups - 1))
        degradation = (ss_degradation - (groups - 1) * ms_interaction) / total
        content = (ss_content - (images - 1) * ms_interaction) / total
        return degradation, content, 1 - degradation - content
