"""Confidence intervals by leaving out one photograph at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student_t

from ddrscope.metrics.design import encode
from ddrscope.metrics.estimate import NAN, Estimate

CONFIDENCE = 0.95
MIN_PHOTOS = 3


def jackknife(
    statistic: Callable[[np.ndarray], float],
    photos: np.ndarray,
    log: bool = False,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """A statistic with its 95 % confidence interval by delete-one-photograph jackknife.

    Args:
        statistic: Computes the statistic from the indices of the rows to use, which are ascending. What it was fitted
            to beforehand (PCA, t-SNE) stays fitted to all rows.
        photos: The photograph of each row, shape (n,).
        log: Compute the interval of the logarithm of a positive statistic.
        limits: The range of the statistic, to which the interval is clipped.

    Returns:
        The statistic of all rows. Its interval is NaN for fewer than 3 photographs, or if the statistic is not finite.
    """
    codes = encode(photos)
    value = float(statistic(np.arange(len(codes))))
    count = int(codes.max(initial=-1)) + 1
    if count < MIN_PHOTOS:
        # Without the only photograph there would be no rows.
        return Estimate(value)
    estimate = jackknife_estimate(value, [statistic(np.flatnonzero(codes != photo)) for photo in range(count)], log)
    return Estimate(value, *np.clip((estimate.low, estimate.high), *limits).tolist())


def jackknife_estimate(
    value: float, replicates: Sequence[float] | np.ndarray, log: bool = False, strata: np.ndarray | None = None
) -> Estimate:
    """A statistic with its 95 % confidence interval from its P delete-one replicates.

    The variance is (P-1)/P times the sum of squares of the replicates about their mean, the quantile that of Student's
    t with P-1 degrees of freedom. With strata, the variances of the strata are added, as are their degrees of freedom.

    Args:
        value: The statistic of all rows.
        replicates: The statistic without each photograph, shape (P,).
        log: As in `jackknife`.
        strata: The stratum of each photograph as a number, shape (P,), where photographs were drawn within strata.

    Returns:
        The statistic. Its interval is NaN for fewer than 3 replicates, for a stratum of one photograph, or if a
        replicate is not finite.

    Source: Efron 1982.
    """
    values = np.append(replicates, value)
    if log:
        values = np.log(values, where=values > 0, out=np.full_like(values, np.nan))
    count = len(values) - 1
    within = [values[:-1]] if strata is None else [values[:-1][strata == stratum] for stratum in np.unique(strata)]
    if count < MIN_PHOTOS or min(map(len, within)) < 2 or not np.isfinite(values).all():
        return Estimate(value, NAN, NAN)
    error = np.sqrt(sum((len(part) - 1) * part.var() for part in within))
    half_width = student_t.ppf((1 + CONFIDENCE) / 2, count - len(within)) * error
    ends = values[-1] - half_width, values[-1] + half_width
    low, high = np.exp(ends) if log else ends
    return Estimate(value, float(low), float(high))
