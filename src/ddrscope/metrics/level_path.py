"""Whether the levels of one degradation form a path: do distances of points grow with differences of levels?"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import ConstantInputWarning, spearmanr

from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife


def path_spearman(points: np.ndarray, levels: np.ndarray, photos: np.ndarray) -> Estimate:
    """Spearman correlation, over all pairs of levels, between their difference and the distance of their centroids.

    Args:
        points: Features or PCA scores, shape (n, d), of one family of degradations (and of clean, if it has a level of
            that family).
        levels: The level of each row, shape (n,).
        photos: The photograph of each row, shape (n,).

    Returns:
        The correlation with its delete-one-photograph jackknife interval, clipped to -1..1. NaN for fewer than 3 levels
        (two make one pair, which has no correlation) and for levels whose centroids are all equally far apart.
    """

    def correlation(rows: np.ndarray) -> float:
        values, codes = np.unique(levels[rows], return_inverse=True)
        if len(values) < 3:
            return float("nan")
        centroids = np.stack([points[rows[codes == code]].mean(axis=0) for code in range(len(values))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            return float(spearmanr(pdist(values[:, None].astype(float)), pdist(centroids)).statistic)

    return jackknife(correlation, photos, limits=(-1, 1))
