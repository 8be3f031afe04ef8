"""How well made tiles resemble real ones: discrepancy, and whether a classifier can tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ddrscope.matching.kernel import discrepancy
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife

# Random halves whose discrepancies are averaged.
HALVES = 20
FOLDS = 5
# Of the regularization of the classifier: features are many, tiles few.
STRENGTH = 0.01
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Points:
    """Descriptions of tiles and what they are of.

    Attributes:
        features: (N, D).
        photos: The photograph of each tile, which stays whole in folds and intervals, (N,).
    """

    features: NDArray[np.float64]
    photos: NDArray[np.str_]


def discrepancy_of(made: Points, real: Points) -> Estimate:
    """The discrepancy with its interval over real photographs."""
    return jackknife(_discrepancy_from(made, real), real.photos)


def gain_of(made: Points, other: Points, real: Points) -> Estimate:
    """By how much ``made`` is nearer to real tiles than ``other`` is, with its interval over the same photographs."""
    ours, theirs = _discrepancy_from(made, real), _discrepancy_from(other, real)
    return jackknife(lambda rows: theirs(rows) - ours(rows), real.photos)


def _discrepancy_from(made: Points, real: Points) -> Callable[[NDArray[np.integer]], float]:
    return lambda rows: discrepancy(real.features[rows], made.features)


def split_discrepancy(real: Points, seed: int = 0) -> float:
    """The mean discrepancy of random halves of the real photographs: what chance alone makes. NaN below four."""
    photos = np.unique(real.photos)
    if len(photos) < 4:
        return float("nan")
    rng, values = np.random.default_rng(seed), []
    for _ in range(HALVES):
        half = np.isin(real.photos, rng.permutation(photos)[: len(photos) // 2])
        values.append(discrepancy(real.features[half], real.features[~half]))
    return float(np.mean(values))


def made_or_real(made: Points, real: Points) -> Estimate:
    """How often a classifier is right about which tiles are made: 0.5 if they cannot be told apart, 1 if always.

    A linear classifier is fitted to four fifths of the photographs and judged on the rest, in turn; both kinds count
    equally.
    """
    features = np.concatenate([made.features, real.features])
    truth = np.repeat([0, 1], [len(made.features), len(real.features)])
    photos = np.concatenate([np.char.add("made ", made.photos), np.char.add("real ", real.photos)])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000, class_weight="balanced"))
    folds = GroupKFold(min(FOLDS, len(np.unique(real.photos)), len(np.unique(made.photos))))
    right = cross_val_predict(classifier, features, truth, groups=photos, cv=folds) == truth

    def measure(rows: NDArray[np.integer]) -> float:
        return float(np.mean([right[rows][truth[rows] == kind].mean() for kind in (0, 1)]))

    return jackknife(measure, photos, limits=(0, 1))


def block_statistics(tiles: NDArray[np.float32]) -> NDArray[np.float64]:
    """A description that owes nothing to any network: the strengths of the frequencies of blocks of 8 pixels.

    Args:
        tiles: (N, H, W, 3) in 0..1.

    Returns:
        Logarithms of mean absolute coefficients, on the block grid and off it, of luma and of two colour differences,
        (N, 384).
    """
    luma = tiles @ _LUMA
    planes = [luma, tiles[..., 0] - luma, tiles[..., 2] - luma]
    columns = []
    for plane in planes:
        for offset in (0, 4):
            part = plane[:, offset:, offset:]
            count, height, width = len(part), part.shape[1] // 8, part.shape[2] // 8
            blocks = part[:, : height * 8, : width * 8].reshape(count, height, 8, width, 8).swapaxes(2, 3)
            strengths = np.abs(dctn(255 * blocks, axes=(3, 4), norm="ortho")).mean((1, 2))
            columns.append(np.log1p(strengths.reshape(count, 64)))
    return np.concatenate(columns, axis=1).astype(np.float64)
