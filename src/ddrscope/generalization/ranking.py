"""Which of several networks generalizes better, and which are not distinguishable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ddrscope.generalization.score import estimate
from ddrscope.results.generalization import PsnrCorrelation, RankedNetwork, Score


def rank(scores: Mapping[str, float], resamples: Mapping[str, NDArray[np.float64]]) -> tuple[RankedNetwork, ...]:
    """Rank networks from the smallest score to the largest, each compared with the one before.

    Args:
        scores: The score of each network.
        resamples: Its resampled scores (R,), the same photographs having the same weights for all networks.
    """
    ranking: list[RankedNetwork] = []
    order = sorted(scores, key=scores.__getitem__)
    for place, name in enumerate(order):
        difference = apart = None
        if place:
            better = order[place - 1]
            difference = estimate(scores[name] - scores[better], resamples[name] - resamples[better])
            apart = difference.low > 0 or difference.high < 0
        ranking.append(RankedNetwork(place + 1, name, estimate(scores[name], resamples[name]), difference, apart))
    return tuple(ranking)


def rank_by_mean(
    scores: Sequence[Score],
    resampled: Mapping[tuple[str, str], NDArray[np.float64]],
    sets: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
) -> tuple[RankedNetwork, ...]:
    """Rank networks by their mean score over sets.

    Args:
        scores: The scores.
        resampled: Resampled scores (R,) by network and set.
        sets: Names of the sets. Default: all that every network has a score of, but the reference.
        networks: Names of the networks. Default: all.
    """
    networks = networks or list(dict.fromkeys(network for network, _ in resampled))
    if sets is None and networks:
        scored = [name for network, name in resampled if network == networks[0]]
        sets = [name for name in scored if all((network, name) in resampled for network in networks)]
    if not sets:
        return ()
    values = {(score.network, score.set_name): score.srga.value for score in scores}
    means = {network: float(np.mean([values[network, name] for name in sets])) for network in networks}
    resamples = {network: np.mean([resampled[network, name] for name in sets], axis=0) for network in networks}
    return rank(means, resamples)


def psnr_correlation(srga: Sequence[float], psnr: Sequence[float]) -> PsnrCorrelation:
    """Spearman's correlation between score and PSNR over the sets whose PSNR is not NaN; NaN for fewer than 3."""
    pairs = [(score, quality) for score, quality in zip(srga, psnr, strict=True) if not np.isnan(quality)]
    if len(pairs) < 3 or any(len(set(values)) == 1 for values in zip(*pairs, strict=True)):
        return PsnrCorrelation(float("nan"), len(pairs))
    return PsnrCorrelation(float(spearmanr(*zip(*pairs, strict=True)).statistic), len(pairs))
