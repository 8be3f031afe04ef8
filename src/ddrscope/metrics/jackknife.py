"""Confidence intervals by leaving out one photograph at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student_t

from ddrscope.metrics.design import encode

CONFIDENCE = 0.95


def jackknife(statistic: Callable[[np.ndarray], float], photos: np.ndarray, log: bool = False) -> tuple[float, float]:
    """95 % confidence interval of a statistic by delete-one-photograph jackknife.

    Args:
        statistic: Computes the statistic from the indices of the rows to use, which are ascending. What it was fitted
            to beforehand (PCA, t-SNE) stays fitted to all rows.
        photos: The photograph of each row, shape (n,).
        log: Compute the interval of the logarithm of a positive statistic.

    Returns:
        (low, high); NaN for fewer than 3 photographs or where the statistic is not finite.
    """
    codes = encode(photos)
    if codes.max(initial=-1) + 1 < 3:
        # Without the only photograph there would be no rows.
        return float("nan"), float("nan")
    replicates = [statistic(np.flatnonzero(codes != photo)) for photo in range(codes.max(initial=-1) + 1)]
    return jackknife_interval(statistic(np.arange(len(codes))), replicates, log)


def jackknife_interval(
    estimate: float, replicates: Sequence[float] | np.ndarray, log: bool = False
) -> tuple[float, float]:
    """95 % confidence interval of an estimate from its P delete-one replicates (Efron, 1982).

    The variance is (P-1)/P times the sum of squares of the replicates about their mean, the quantile that of Student's
    t with P-1 degrees of freedom.

    Args:
        estimate: The statistic of all rows.
        replicates: The statistic without each photograph.
        log: As in `jackknife`.

    Returns:
        (low, high), as in `jackknife`.
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
