"""The Calinski-Harabasz index, and a permutation test that uses it."""

from __future__ import annotations

import numpy as np

from ddrscope.metrics.design import encode, permutations_within


def calinski_harabasz(points: np.ndarray, labels: np.ndarray) -> float:
    """The Calinski-Harabasz index CHI = [tr(B) / (k - 1)] / [tr(W) / (n - k)].

    Args:
        points: Points (n, d).
        labels: The group of each point (n,), one of k.

    Returns:
        The index, 0 or more; 1 on average for random groups. Infinite if the groups are distinct and none has any
        spread. NaN where it is not defined: one group, as many groups as points, or points that all coincide.

    Source: Calinski and Harabasz 1974.
    """
    codes = encode(labels)
    count, groups = len(codes), int(codes.max(initial=-1)) + 1
    if groups < 2 or count == groups or not np.ptp(points, axis=0).any():
        return float("nan")
    centred = points - points.mean(axis=0)
    ordered = centred[np.argsort(codes, kind="stable")]
    sizes = np.bincount(codes)
    means = np.add.reduceat(ordered, np.cumsum(sizes) - sizes, axis=0) / sizes[:, None]
    between = float(sizes @ np.square(means).sum(axis=1))
    within = float(np.square(centred - means[codes]).sum())
    # For equal points the scatter within groups is rounding only.
    if within <= (4 * np.finfo(float).eps) ** 2 * between:
        return float("inf")
    return (between / (groups - 1)) / (within / (count - groups))


def permutation_p_value(
    points: np.ndarray, labels: np.ndarray, images: np.ndarray, permutations: int = 999, seed: int = 0
) -> float:
    """The probability of a CHI at least as large as the observed one if labels are permuted within each image.

    A small value says that the features depend on the label. It does not say that they cluster by it.

    Args:
        points: Points (n, d).
        labels: The label of each point (n,).
        images: The image of each point (n,).
        permutations: Number of random permutations.
        seed: Seed of the permutations.

    Returns:
        (1 + number of permutations with such a CHI) / (1 + ``permutations``).
    """
    codes = encode(labels)
    sizes = np.bincount(codes)
    centred = points - points.mean(axis=0)
    random = np.random.default_rng(seed)

    # The total scatter and the sizes of the groups are constant, so CHI grows with the scatter between groups.
    def between(arrangements: np.ndarray) -> np.ndarray:
        sums = (arrangements[:, None, :] == np.arange(len(sizes))[:, None]).astype(float) @ centred
        return np.square(sums).sum(axis=2) @ (1 / sizes)

    observed = between(codes[None])[0]
    batch = max(1, 2**22 // (len(codes) * len(sizes)))
    count = 0
    for start in range(0, permutations, batch):
        arrangements = permutations_within(codes, images, min(batch, permutations - start), random)
        # The tolerance counts arrangements that equal the observed one but are summed in another order.
        count += int((between(arrangements) >= observed * (1 - 1e-12)).sum())
    return (1 + count) / (1 + permutations)
