"""Measuring one layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddrscope.metrics.chi import calinski_harabasz, permutation_p_value
from ddrscope.metrics.class_share import class_share
from ddrscope.metrics.design import Design, encode
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife
from ddrscope.metrics.knn import knn_accuracy
from ddrscope.metrics.measures import NOT_AVAILABLE, Content, Measures, PlaneMeasures
from ddrscope.metrics.variance_shares import VarianceShares, variance_shares


def measure(
    scores: np.ndarray,
    gram: np.ndarray,
    design: Design,
    content: Content = "image",
    permutations: int = 999,
    seed: int = 0,
) -> Measures:
    """Measure how the features of one layer cluster.

    Args:
        scores: PCA scores of the features, shape (n, r).
        gram: Gram matrix of the features, shape (n, n).
        design: The image, photograph and group of each row.
        content: What one content group is: an image, all images of a photograph, or all images of a folder.
        permutations: Permutations of the test.
        seed: Seed of the permutations.

    Returns:
        The measures; shares and p-value are NaN where the design is not balanced.
    """
    groups, photos = encode(design.groups), encode(design.photos)
    shares = VarianceShares(NOT_AVAILABLE, NOT_AVAILABLE, NOT_AVAILABLE, NOT_AVAILABLE)
    p_value = float("nan")
    if design.balanced:
        shares = variance_shares(gram, design)
        p_value = permutation_p_value(scores, groups, design.images, permutations, seed)
    return Measures(
        chi_pca=_chi(scores, groups, photos),
        chi_content_pca=_chi(scores, _content_labels(design, content), photos),
        degradation_share=shares.degradation,
        content_share=shares.content,
        interaction_share=shares.interaction,
        photo_share=shares.photo if content == "photo" else None,
        class_share=_class_share(gram, design) if content == "folder" else None,
        knn_accuracy=_accuracy(scores, groups, photos),
        p_value=p_value,
        n=len(design),
        k=int(groups.max()) + 1,
    )


def measure_planes(planes: Sequence[np.ndarray], design: Design, content: Content = "image") -> PlaneMeasures:
    """Measure how the points of t-SNE planes cluster.

    Args:
        planes: Points of each plane, shape (n, 2); a plane for each seed, at least one.
        design: The image, photograph and group of each row.
        content: What one content group is: an image, all images of a photograph, or all images of a folder.
    """
    by_group, by_content = (
        [calinski_harabasz(plane, labels) for plane in planes]
        for labels in (encode(design.groups), _content_labels(design, content))
    )
    return PlaneMeasures(chi_tsne=_over_seeds(by_group), chi_content_tsne=_over_seeds(by_content))


def content_groups(design: Design, content: Content) -> int:
    """The number of content groups of a design."""
    return int(_content_labels(design, content).max()) + 1


def _content_labels(design: Design, content: Content) -> np.ndarray:
    labels = {"image": design.images, "photo": design.photos, "folder": design.folders}[content]
    if labels is None:
        raise ValueError("content groups are folders, but the design has none")
    return encode(labels)


def _class_share(gram: np.ndarray, design: Design) -> Estimate:
    return class_share(gram, design.photos, _content_labels(design, "folder")) if design.balanced else NOT_AVAILABLE


def _chi(points: np.ndarray, labels: np.ndarray, photos: np.ndarray) -> Estimate:
    return jackknife(lambda rows: calinski_harabasz(points[rows], labels[rows]), photos, log=True)


def _accuracy(points: np.ndarray, groups: np.ndarray, photos: np.ndarray) -> Estimate:
    correct = knn_accuracy(points, groups, photos)[1]
    return jackknife(lambda rows: correct[rows].mean(), photos, limits=(0, 1))


def _over_seeds(values: Sequence[float]) -> Estimate:
    return Estimate(float(np.median(values)), min(values), max(values))
