"""The measures of one layer, as types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ddrscope.metrics.estimate import Estimate

Content = Literal["image", "photo", "folder"]
NOT_AVAILABLE = Estimate(float("nan"))


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The measures of one layer that need no t-SNE plane. Intervals are 95 %, with PCA held fixed.

    Args:
        chi_pca: Calinski-Harabasz index by group, on PCA scores.
        chi_content_pca: The same by image, photograph or folder.
        degradation_share: Share of the variance, see `ddrscope.metrics.variance_shares`; NaN without a balanced design.
        content_share: Likewise.
        interaction_share: Likewise.
        photo_share: Likewise; None unless content groups are photographs.
        class_share: See `ddrscope.metrics.class_share`; None unless content groups are folders.
        knn_accuracy: Accuracy of 5-NN classification by group on held-out photographs; chance is 1/k.
        p_value: Permutation test of the group labels; NaN without a balanced design.
        n: Number of rows (images times groups).
        k: Number of groups.
    """

    chi_pca: Estimate
    chi_content_pca: Estimate
    degradation_share: Estimate
    content_share: Estimate
    interaction_share: Estimate
    photo_share: Estimate | None
    class_share: Estimate | None = None
    knn_accuracy: Estimate
    p_value: float
    n: int
    k: int


@dataclass(frozen=True, kw_only=True)
class PlaneMeasures:
    """The measures on t-SNE planes: the median over seeds, and the range over seeds as interval.

    Args:
        chi_tsne: Calinski-Harabasz index by group.
        chi_content_tsne: The same by image, photograph or folder.
    """

    chi_tsne: Estimate = NOT_AVAILABLE
    chi_content_tsne: Estimate = NOT_AVAILABLE
