"""The measures of pooled features from sums over rows: they stream, and merge over machines that share out the images."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Float = NDArray[np.float64]
NAN = float("nan")


class GroupSums:
    """Sums over rows of D pooled features in k groups of any sizes; their size does not grow with the rows.

    ``origin`` (D,), about the mean of the features, keeps digits: sums are taken of what is left when it is subtracted. Sums of one
    origin merge. Columns are standardized as in `GramMatrix`, so the index is that of `separability.measure`, without interval.
    """

    def __init__(self, groups: int, origin: NDArray[np.floating]) -> None:
        self.origin = np.asarray(origin, dtype=np.float64)
        size = len(self.origin)
        # Rows and sums by group; products of columns.
        self.counts = np.zeros(groups, np.int64)
        self.by_group, self.products = np.zeros((groups, size)), np.zeros((size, size))

    def add(self, rows: NDArray[np.floating], codes: NDArray[np.integer]) -> Self:
        """Add n rows (n, D), each in the group of its code (n,), 0..k-1."""
        rows = rows - self.origin
        for code in np.unique(codes):
            self.by_group[code] += rows[codes == code].sum(axis=0)
        self.counts += np.bincount(codes, minlength=len(self.counts))
        self.products += rows.T @ rows
        return self

    def merge(self, other: Self) -> Self:
        """Add the rows that another process has seen; `ValueError` where its sums are of other groups or another origin."""
        if self.by_group.shape != other.by_group.shape or not np.array_equal(self.origin, other.origin):
            raise ValueError("only sums of the same groups, features and origin merge")
        self.counts = self.counts + other.counts
        self.by_group = self.by_group + other.by_group
        self.products = self.products + other.products
        return self

    def axes(self, components: int = 50) -> tuple[Float, Float]:
        """What turns features x into PCA scores of standardized features, (x - mean) @ axes: the mean (D,) and axes (D, r)."""
        mean, scale, scatter = self._standardized()
        kept = min(components, len(scatter))
        values, vectors = eigh(scatter, subset_by_index=(len(scatter) - kept, len(scatter) - 1))
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = max(1, int(np.count_nonzero(values > values[0] * len(scatter) * np.finfo(float).eps)))
        return mean + self.origin, scale[:, None] * vectors[:, :rank]

    def measures(self, components: int = 50) -> dict[str, float]:
        """chi_pca by group, n rows, k groups; NaN where it means nothing: one group, groups of one row, features that do not vary."""
        count, groups = int(self.counts.sum()), len(self.counts)
        result: dict[str, float] = {"chi_pca": NAN, "n": count, "k": groups}
        if groups < 2 or count <= groups or not self.counts.all():
            return result
        mean, _, scatter = self._standardized()
        if np.trace(scatter) == 0:
            return result
        _, axes = self.axes(components)
        inside = float(np.einsum("dr,de,er->", axes, self._scatter(mean), axes))
        offsets = self.by_group / self.counts[:, None] - mean
        between = float(self.counts @ np.square(offsets @ axes).sum(axis=1))
        within = inside - between
        result["chi_pca"] = between / (groups - 1) / (within / (count - groups)) if within > 0 else float("inf")
        return result

    def _scatter(self, mean: Float) -> Float:
        return self.products - self.counts.sum() * np.outer(mean, mean)

    def _standardized(self) -> tuple[Float, Float, Float]:
        """Mean less the origin, the factor that standardizes each column, and the scatter of standardized columns."""
        count = self.counts.sum()
        mean = self.by_group.sum(axis=0) / count
        scatter = self._scatter(mean)
        deviation = np.sqrt(scatter.diagonal().clip(min=0) / count)
        # Beyond float32 rounding of the features, as they came, a column that does not vary is constant.
        constant = deviation <= 8 * np.finfo(np.float32).eps * np.abs(mean + self.origin)
        scale = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
        return mean, scale, scatter * np.outer(scale, scale)


class PooledSums(GroupSums):
    """`GroupSums` of images that are each in the same k groups (degradations), for the variance shares."""

    def __init__(self, groups: int, origin: NDArray[np.floating]) -> None:
        super().__init__(groups, origin)
        # Of squares of what an image's rows sum to.
        self.of_images = np.zeros(len(self.origin))

    @property
    def images(self) -> int:
        """How many were added."""
        return int(self.counts[0])

    def update(self, cells: NDArray[np.floating]) -> Self:
        """Add P images: (P, k, D), the groups in one order always."""
        cells = cells - self.origin
        rows = cells.reshape(-1, cells.shape[2])
        self.counts += len(cells)
        self.by_group += cells.sum(axis=0)
        self.products += rows.T @ rows
        self.of_images += np.square(cells.sum(axis=1)).sum(axis=0)
        return self

    def merge(self, other: Self) -> Self:
        """As `GroupSums.merge`."""
        super().merge(other)
        self.of_images = self.of_images + other.of_images
        return self

    def measures(self, components: int = 50) -> dict[str, float]:
        """chi_pca by group, degradation_share, content_share, interaction_share, n rows, k groups.

        NaN where they mean nothing: fewer than two images or groups, features that do not vary.
        """
        shares = dict.fromkeys(("degradation_share", "content_share", "interaction_share"), NAN)
        result = super().measures(components) | shares
        groups, count = len(self.counts), int(self.counts.sum())
        if groups < 2 or self.images < 2:
            return result
        mean, scale, scatter = self._standardized()
        total = float(np.trace(scatter))
        if total == 0:
            return result
        offsets = self.by_group / self.images - mean
        ss_degradation = self.images * float(np.square(offsets * scale).sum())
        ss_content = float(((self.of_images / groups - count * mean**2) * scale**2).sum())
        ms_interaction = (total - ss_degradation - ss_content) / ((self.images - 1) * (groups - 1))
        result["degradation_share"] = (ss_degradation - (groups - 1) * ms_interaction) / total
        result["content_share"] = (ss_content - (self.images - 1) * ms_interaction) / total
        result["interaction_share"] = 1 - result["degradation_share"] - result["content_share"]
        return result
