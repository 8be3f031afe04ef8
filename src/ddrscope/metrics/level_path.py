"""Whether the levels of one degradation lie on a path: the further apart the levels, the further apart their points."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import ConstantInputWarning, spearmanr

from ddrscope.metrics.jackknife import jackknife


def path_spearman(points: np.ndarray, levels: np.ndarray, photos: np.ndarray) -> tuple[float, float, float]:
    """Spearman correlation, over all pairs of levels, between their difference and the distance of their centroids.

    `points` (n, d), `levels` (n,) numbers and `photos` (n,) are the rows of *one* family (and of clean, if it has a
    level on that scale). Returns (correlation, low, high), the interval by delete-one-photograph jackknife, cut off
    at -1 and 1. NaN for fewer than 3 levels (two make one pair, which correlates with nothing) and for levels whose
    centroids are all equally far apart.
    """

    def correlation(rows: np.ndarray) -> float:
        values, codes = np.unique(levels[rows], return_inverse=True)
        if len(values) < 3:
            return float("nan")
        centroids = np.stack([points[rows[codes == code]].mean(axis=0) for code in range(len(values))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            return float(spearmanr(pdist(values[:, None].astype(float)), pdist(centroids)).statistic)

    low, high = np.clip(jackknife(correlation, photos), -1, 1)
    return correlation(np.arange(len(levels))), float(low), float(high)
