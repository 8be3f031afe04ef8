"""Intervals by leaving out one photograph at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student_t

from ddrscope.metrics.design import encode

CONFIDENCE = 0.95


def jackknife(statistic: Callable[[np.ndarray], float], photos: np.ndarray, log: bool = False) -> tuple[float, float]:
    """95 % interval (low, high) of a statistic by delete-one-photograph jackknife.

    `statistic` takes the indices of the rows to use, ascending; `photos` (n,) names each row's photograph. Whatever
    the statistic was reduced by (PCA, t-SNE, trained neighbours) stays as fitted on all rows. With `log` the interval
    is built on the logarithm of a positive statistic. (NaN, NaN) for fewer than 3 photographs or where the statistic
    is not finite.
    """
    codes = encode(photos)
    if codes.max(initial=-1) + 1 < 3:
        # Without the only photograph a statistic would be one of no rows.
        return float("nan"), float("nan")
    replicates = [statistic(np.flatnonzero(codes != photo)) for photo in range(codes.max(initial=-1) + 1)]
    return jackknife_interval(statistic(np.arange(len(codes))), replicates, log)


def jackknife_interval(
    estimate: float, replicates: Sequence[float] | np.ndarray, log: bool = False
) -> tuple[float, float]:
    """95 % interval (low, high) around an estimate from its P delete-one replicates (Efron, 1982).

    The variance is (P-1)/P times the replicates' sum of squares about their mean, the quantile Student's t with P-1
    degrees of freedom. `log` and NaN as in `jackknife`.
    """
    values = np.append(replicates, estimate)
    if log:
        values = np.log(values, where=values > 0, out=np.full_like(values, np.nan))
    count = len(values) - 1
    if count < 3 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    error = np.sqrt((count - 1) * values[:-1].var())
    reach = student_t.ppf((1 + CONFIDENCE) / 2, count - 1) * error
    low, high = values[-1] - reach, values[-1] + reach
    return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))
