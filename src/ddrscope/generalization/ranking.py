"""Which of several networks generalizes better, and which cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ddrscope.generalization.score import interval


def rank(draws: Mapping[str, NDArray[np.float64]], scores: Mapping[str, float]) -> list[dict[str, Any]]:
    """The networks from the smallest score to the largest, each compared with the next better one.

    ``draws`` are a network's resampled scores (R,), the same photographs weighing the same in all; ``scores`` the scores themselves.
    ``apart`` is False where the 95 % interval of the paired difference holds 0: then, and where there is no interval,
    the two cannot be told apart. None for the first.
    """
    ranked: list[dict[str, Any]] = []
    order = sorted(scores, key=scores.__getitem__)
    for place, name in enumerate(order):
        low, high = interval(draws[name])
        row = {"place": place + 1, "network": name, "srga": scores[name], "srga_low": low, "srga_high": high}
        if place:
            better = order[place - 1]
            start, end = interval(draws[name] - draws[better])
            difference = scores[name] - scores[better]
            row |= {
                "difference": difference,
                "difference_low": start,
                "difference_high": end,
                "apart": start > 0 or end < 0,
            }
        else:
            row |= {"difference": None, "difference_low": None, "difference_high": None, "apart": None}
        ranked.append(row)
    return ranked


def rank_correlation(srga: Sequence[float], psnr: Sequence[float | None]) -> tuple[float, int]:
    """Spearman's correlation of score and PSNR over the sets that have both, and their number; NaN for fewer than 3."""
    pairs = [(one, other) for one, other in zip(srga, psnr, strict=True) if other is not None]
    if len(pairs) < 3 or any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        return float("nan"), len(pairs)
    return float(spearmanr(*zip(*pairs, strict=True)).statistic), len(pairs)
