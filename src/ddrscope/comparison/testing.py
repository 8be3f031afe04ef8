"""Do two sets of images differ along an axis? Permutation tests by photograph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.comparison import AXES, SIGNIFICANT, Axis, AxisDifference, MeasuredImages

PERMUTATIONS = 4999
_CONFIDENCE = 0.95


def differences(first: MeasuredImages, second: MeasuredImages, seed: int = 0) -> tuple[AxisDifference, ...]:
    """Test all axes at once.

    The statistic of an axis is Welch's t of the means of photographs. P-values are those of the largest statistic of all
    axes under permutations of photographs, so that four axes raise no more false alarms than one (Westfall and Young
    1993).

    Args:
        first: Images of at least two photographs.
        second: The same.
        seed: Of the permutations.
    """
    sets = [_by_photo(images) for images in (first, second)]
    points, count = np.concatenate(sets), len(sets[0])
    observed = _statistics(points, np.arange(count), np.arange(count, len(points)))
    # Sums in another order differ in the last digit.
    reached = observed * (1 - 1e-9)
    exceeded, total = np.zeros(len(AXES)), 0
    for left in _partitions(len(points), count, seed):
        right = np.setdiff1d(np.arange(len(points)), left)
        exceeded += _statistics(points, left, right).max() >= reached
        total += 1
    p_values = exceeded / total
    return tuple(
        _difference(axis, sets[0][:, index], sets[1][:, index], float(p_values[index]))
        for index, axis in enumerate(AXES)
    )


def _partitions(total: int, count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Which points are in the first set: every possibility if they are few, else the observed one and random ones."""
    if math.comb(total, count) <= PERMUTATIONS:
        for chosen in itertools.combinations(range(total), count):
            yield np.array(chosen)
        return
    rng = np.random.default_rng(seed)
    yield np.arange(count)
    for _ in range(PERMUTATIONS):
        yield rng.permutation(total)[:count]


def _difference(axis: Axis, first: NDArray[np.float64], second: NDArray[np.float64], p_value: float) -> AxisDifference:
    value = float(second.mean() - first.mean())
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        difference = Estimate(value, value, value)
    else:
        ends = ttest_ind(second, first, equal_var=False).confidence_interval(_CONFIDENCE)
        difference = Estimate(value, float(ends.low), float(ends.high))
    differs = p_value < SIGNIFICANT and abs(value) > axis.slight
    return AxisDifference(axis, float(first.mean()), float(second.mean()), difference, p_value, differs)


def _by_photo(images: MeasuredImages) -> NDArray[np.float64]:
    """The mean of the images of each photograph, (photographs, axes)."""
    _, codes = np.unique(images.photos, return_inverse=True)
    sums = np.zeros((codes.max() + 1, images.values.shape[1]))
    np.add.at(sums, codes, images.values)
    result: NDArray[np.float64] = sums / np.bincount(codes)[:, None]
    return result


def _statistics(points: NDArray[np.float64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """The absolute value of Welch's t along each axis; 0 where both sets are constant and alike."""
    first, second = points[left], points[right]
    spread = first.var(0, ddof=1) / len(first) + second.var(0, ddof=1) / len(second)
    distance = np.abs(first.mean(0) - second.mean(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics: NDArray[np.float64] = np.where(
            spread > 0, distance / np.sqrt(spread), np.where(distance > 0, np.inf, 0)
        )
    return statistics
