"""When did a stream of images change? A sequential test that holds its rate of false alarms.

Each new image gets a p-value along each axis: its rank among all images so far (conformal; Vovk et al. 2005). If images are
exchangeable, as draws from one distribution are, these are uniform and independent, whatever the distribution. Bets against
that are summed over all starting points (Shiryaev and Roberts); the sum of each axis then grows by 1 per image on average, so
that the mean number of images until it reaches N is at least N (Shin, Ramdas and Rinaldo 2022). Images that follow each other
like frames of a film, or day and night in turn, are not exchangeable: they raise more alarms.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ddrscope.results.watch import Alarm, Detection

# Bets on small p-values, from bold to careful: the density of the p-value under the bet is e * p ** (e - 1).
_EXPONENTS = (0.1, 0.2, 0.4, 0.7)


def detect(reference: NDArray[np.float64], stream: NDArray[np.float64], threshold: float, seed: int = 0) -> Detection:
    """Find the first change of a stream.

    Args:
        reference: Values of images before, (R, axes).
        stream: Values of images in the order of their arrival, (N, axes).
        threshold: The mean number of images until a false alarm, at least.
        seed: Breaks ties between images of equal values.

    Returns:
        The evidence up to the alarm, or to the end.
    """
    axes = reference.shape[1]
    rng = np.random.default_rng(seed)
    seen = [sorted(reference[:, axis].tolist()) for axis in range(axes)]
    # Ties are broken at random, for all images that arrive, so that a run that is continued gives the same.
    breaks = rng.random((len(stream), axes))
    sums = np.zeros((axes, 2, len(_EXPONENTS)))
    exponents = np.array(_EXPONENTS)
    evidence = np.zeros(len(stream))
    for index, values in enumerate(stream):
        for axis, value in enumerate(values.tolist()):
            own = seen[axis]
            below, above = bisect_left(own, value), bisect_right(own, value)
            ties = above - below + 1
            rank = (below + breaks[index, axis] * ties) / (len(own) + 1)
            own.insert(above, value)
            # Small p-values of the first kind are large values of the image, of the second kind small ones.
            for side, p_value in enumerate((1 - rank, rank)):
                bet = exponents * max(p_value, 1e-12) ** (exponents - 1)
                sums[axis, side] = (1 + sums[axis, side]) * bet
        evidence[index] = sums.mean()
        if evidence[index] >= threshold:
            return Detection(evidence[: index + 1], threshold, _alarm(reference, stream[: index + 1], sums))
    return Detection(evidence, threshold, None)


def _alarm(reference: NDArray[np.float64], stream: NDArray[np.float64], sums: NDArray[np.float64]) -> Alarm:
    """The alarm at the last image of a stream, along the axis and in the direction of most evidence."""
    axis, side = np.unravel_index(int(sums.mean(2).argmax()), sums.shape[:2])
    ranks = rankdata(np.concatenate([reference[:, axis], stream[:, axis]]))
    after = np.arange(len(stream), 0, -1)
    before = len(ranks) - after
    # The split after which ranks are most unlike those before it.
    totals = np.cumsum(ranks[::-1])[::-1][len(reference) :]
    distance = np.abs(totals / after - (ranks.sum() - totals) / before)
    onset = int((distance / np.sqrt(1 / before + 1 / after)).argmax())
    return Alarm(len(stream) - 1, onset, int(axis), 1 if side == 0 else -1)
