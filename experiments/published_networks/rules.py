"""The rules by which claims C2, C3 and C6 are judged on published networks. Written on 2026-11-28, before the full run.

A first look at some of the networks of the exploratory part led to the questions; the confirmation part (the challenges of 2025 and
2026) was not looked at before. A verdict counts on the confirmation part; that on the exploratory part stands beside it.

Included are networks of scale 4 that were trained on undegraded images and whose PSNR-Y is above that of bicubic interpolation;
networks with the same output are counted once. The measure is the degradation share of the last HR layer on BSD100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

RESAMPLES, PERMUTATIONS = 2000, 10000
# C2 holds if the interval of the area under the curve is above 0.5 and the permutation test is below this.
SIGNIFICANT = 0.05
# C6 holds for a series of epochs if the rank correlation of share and epoch is at least this.
CLEAR_ORDER = 0.7


@dataclass(frozen=True)
class ResidualComparison:
    """C2 in one part and view: networks with a global residual against those without.

    Attributes:
        networks: Number of networks with, and without.
        families: Number of families with, and without.
        medians: Median degradation share with, and without.
        auc: Area under the ROC curve of the share, with its 95 % interval by bootstrap over families.
        p_value: Of the difference of mean shares, by permutation of the residual within each year, one-sided.
        verdict: ``holds``, ``does not hold`` or ``not decided``.
    """

    networks: tuple[int, int]
    families: tuple[int, int]
    medians: tuple[float, float]
    auc: tuple[float, float, float]
    p_value: float
    verdict: str


def compare_residuals(table: pd.DataFrame, seed: int = 0) -> ResidualComparison:
    """Judge C2.

    Args:
        table: A row for each network with ``residual`` (bool), ``share``, ``family`` and ``year``.
        seed: Seed of bootstrap and permutations.
    """
    random = np.random.default_rng(seed)
    groups = [table[table.residual], table[~table.residual]]
    area = float(roc_auc_score(table.residual, table.share))
    low, high = np.quantile([_resampled_area(groups, random) for _ in range(RESAMPLES)], [0.025, 0.975])
    p_value = _permutation_test(table, random)
    if low > 0.5 and p_value < SIGNIFICANT:
        verdict = "holds"
    else:
        verdict = "does not hold" if high < 0.5 else "not decided"
    return ResidualComparison(
        networks=(len(groups[0]), len(groups[1])),
        families=(groups[0].family.nunique(), groups[1].family.nunique()),
        medians=(float(groups[0].share.median()), float(groups[1].share.median())),
        auc=(area, float(low), float(high)),
        p_value=p_value,
        verdict=verdict,
    )


def _resampled_area(groups: list[pd.DataFrame], random: np.random.Generator) -> float:
    """The area for families drawn with replacement, on each side."""
    labels: list[bool] = []
    shares: list[float] = []
    for residual, group in zip((True, False), groups, strict=True):
        by_family = [rows.to_list() for _, rows in group.groupby("family").share]
        for index in random.integers(len(by_family), size=len(by_family)):
            shares += by_family[index]
            labels += [residual] * len(by_family[index])
    return float(roc_auc_score(labels, shares))


def _permutation_test(table: pd.DataFrame, random: np.random.Generator) -> float:
    residual, share = table.residual.to_numpy(), table.share.to_numpy()
    strata = [np.flatnonzero(table.year == year) for year in table.year.unique()]

    def difference(labels: np.ndarray) -> float:
        return float(share[labels].mean() - share[~labels].mean())

    observed, permuted, reached = difference(residual), residual.copy(), 0
    for _ in range(PERMUTATIONS):
        for rows in strata:
            permuted[rows] = random.permutation(residual[rows])
        reached += difference(permuted) >= observed
    return (1 + reached) / (1 + PERMUTATIONS)


def adversarial_above(pixel: tuple[float, float, float], adversarial: tuple[float, float, float]) -> str:
    """Judge C3 on a pair of one graph without residual: shares with their intervals of the pixel and adversarial stage."""
    if adversarial[1] > pixel[2]:
        return "holds"
    return "does not hold" if adversarial[2] < pixel[1] else "not decided"


def grows_with_training(epochs: list[int], shares: list[float]) -> tuple[float, bool]:
    """Judge C6 on a series: the rank correlation of share and epoch, and whether it is clear."""
    order = float(spearmanr(epochs, shares).statistic)
    return order, order >= CLEAR_ORDER
