"""The Calinski-Harabasz index and the permutation test that uses it."""

from __future__ import annotations

import numpy as np

from ddrscope.metrics.design import encode, permutations_within


def calinski_harabasz(points: np.ndarray, labels: np.ndarray) -> float:
    """CHI = [tr(B)/(k-1)] / [tr(W)/(n-k)] of (n, d) points in k labelled groups (Calinski and Harabasz, 1974).

    Infinite when groups are distinct and none has any spread; NaN where the ratio means nothing: one group only, as
    many groups as points, or points that all coincide.
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
    # Equal points leave a within-group scatter of rounding only.
    if within <= (4 * np.finfo(float).eps) ** 2 * between:
        return float("inf")
    return (between / (groups - 1)) / (within / (count - groups))


def permutation_p_value(
    points: np.ndarray, labels: np.ndarray, images: np.ndarray, permutations: int = 999, seed: int = 0
) -> float:
    """Chance of a CHI at least as large as the observed when labels are permuted within each image.

    `points` (n, d), `labels` and `images` (n,). The value is (1 + count of such permutations) / (1 + permutations).
    Small values say that the features move with the label at all, not that they gather.
    """
    codes = encode(labels)
    sizes = np.bincount(codes)
    centred = points - points.mean(axis=0)
    random = np.random.default_rng(seed)

    # Total scatter and group sizes never change, so CHI grows with the between-group scatter alone.
    def between(arrangements: np.ndarray) -> np.ndarray:
        sums = (arrangements[:, None, :] == np.arange(len(sizes))[:, None]).astype(float) @ centred
        return np.square(sums).sum(axis=2) @ (1 / sizes)

    observed = between(codes[None])[0]
    batch = max(1, 2**22 // (len(codes) * len(sizes)))
    count = 0
    for start in range(0, permutations, batch):
        arrangements = permutations_within(codes, images, min(batch, permutations - start), random)
        # An arrangement equal to the observed one must count whatever the order of summation.
        count += int((between(arrangements) >= observed * (1 - 1e-12)).sum())
    return (1 + count) / (1 + permutations)
