"""The Davies-Bouldin index."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from ddrscope.metrics.design import encode


def davies_bouldin(points: np.ndarray, labels: np.ndarray) -> float:
    """The Davies-Bouldin index: the mean over groups i of the largest (s_i + s_j) / d_ij over the other groups j.

    s_i is the mean distance of the points of group i to their centroid, d_ij the distance of two centroids. Two groups
    that overlap much give a large index, even if all others are distinct.

    Args:
        points: Points (n, d).
        labels: The group of each point (n,), one of k.

    Returns:
        The index, 0 or more; smaller is better. 0 if the groups are distinct and none has any spread. NaN where it is
        not defined: one group, as many groups as points, or two groups whose centroids coincide.

    Source: Davies and Bouldin 1979.
    """
    codes = encode(labels)
    count, groups = len(codes), int(codes.max(initial=-1)) + 1
    if groups < 2 or count == groups:
        return float("nan")
    centred = points - points.mean(axis=0)
    means = np.stack([centred[codes == group].mean(axis=0) for group in range(groups)])
    distances = cdist(means, means)
    np.fill_diagonal(distances, np.inf)
    # The centroids of equal groups differ by the rounding of PCA.
    if distances.min() <= 1e-9 * np.linalg.norm(centred, axis=1).max():
        return float("nan")
    radii = np.linalg.norm(centred - means[codes], axis=1)
    spreads = np.bincount(codes, weights=radii) / np.bincount(codes)
    return float(((spreads[:, None] + spreads) / distances).max(axis=1).mean())
