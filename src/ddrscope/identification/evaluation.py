"""How good identification is: accuracy over types and groups, levels, calibration, unseen distortions, with intervals over photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ddrscope.identification.identifier import CLEAN, Predictions
from ddrscope.identification.labelled_images import Sample
from ddrscope.metrics import jackknife_interval

BINS = 10
# "Clearly visible" degradation, for which a figure of its own is given.
STRONG = 3


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval (jackknife over ``photos`` photographs) and the number of images it rests on."""

    value: float
    low: float
    high: float
    n: int
    photos: int


def jackknife(
    measure: Callable[[NDArray[np.bool_]], float], photos: NDArray[np.str_], among: NDArray[np.bool_]
) -> Estimate:
    """``measure`` of the images in ``among``, its interval from leaving out one photograph after the other.

    NaN for fewer than 3 photographs, and where the measure is not a number without one of them.
    """
    names = np.unique(photos[among])
    value = measure(among)
    low, high = jackknife_interval(value, [measure(among & (photos != name)) for name in names])
    return Estimate(value, low, high, int(among.sum()), len(names))


class Evaluation:
    """What was found in test images, each with one distortion or none, beside what is in them; ``groups`` by type."""

    def __init__(self, samples: Sequence[Sample], found: Predictions, groups: Mapping[str, str]) -> None:
        self.names = np.array([CLEAN, *groups])
        self.groups = np.array([CLEAN, *groups.values()])
        self.photos = np.array([sample.photo for sample in samples])
        self.found = found
        types = [next(iter(sample.levels), CLEAN) for sample in samples]
        self.truth = np.array([list(self.names).index(name) for name in types])
        self.levels = np.array([next(iter(sample.levels.values()), 0) for sample in samples])
        self.said = found.probabilities.argmax(1)

    def measures(self) -> dict[str, Estimate]:
        """Every measure by name; ``_strong``: over levels 3 to 5."""
        everything = np.ones(len(self.truth), bool)
        strong, degraded = self.levels >= STRONG, self.levels > 0
        right_type = self.said == self.truth
        right_group = self.groups[self.said] == self.groups[self.truth]
        rows = {
            "type_accuracy": (lambda chosen: float(right_type[chosen].mean()), everything),
            "type_accuracy_strong": (lambda chosen: float(right_type[chosen].mean()), strong),
            "group_accuracy": (lambda chosen: float(right_group[chosen].mean()), everything),
            "group_accuracy_strong": (lambda chosen: float(right_group[chosen].mean()), strong),
            "level_spearman": (self._level_spearman, degraded),
            "level_error": (lambda chosen: float(np.abs(self._level()[chosen] - self.levels[chosen]).mean()), degraded),
            "level_coverage": (self._coverage, degraded),
            "calibration_error": (self._calibration_error, everything),
        }
        return {name: jackknife(measure, self.photos, among) for name, (measure, among) in rows.items()}

    def confusion(self) -> NDArray[np.float64]:
        """Shares (1 + T, 1 + T): of the images with the type of the row, those said to have the type of the column."""
        counts = np.zeros((len(self.names), len(self.names)))
        np.add.at(counts, (self.truth, self.said), 1)
        return counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def _level(self) -> NDArray[np.float64]:
        """The level said, given the type: that of the true type."""
        return self.found.levels[np.arange(len(self.truth)), np.maximum(self.truth - 1, 0), 1]

    def _level_spearman(self, chosen: NDArray[np.bool_]) -> float:
        """The mean over types of the rank correlation of level said and true."""
        level, orders = self._level(), []
        for index in range(1, len(self.names)):
            rows = chosen & (self.truth == index)
            if not rows.any():
                continue
            # A level that never changes orders nothing.
            orders.append(spearmanr(level[rows], self.levels[rows]).statistic if np.ptp(level[rows]) else 0.0)
        return float(np.mean(orders))

    def _coverage(self, chosen: NDArray[np.bool_]) -> float:
        ends = self.found.levels[np.arange(len(self.truth)), np.maximum(self.truth - 1, 0)]
        return float(((ends[:, 0] <= self.levels) & (self.levels <= ends[:, 2]))[chosen].mean())

    def _calibration_error(self, chosen: NDArray[np.bool_]) -> float:
        """Expected calibration error of the likeliest type's probability, in bins of equal width."""
        sure = self.found.probabilities.max(1)[chosen]
        right = (self.said == self.truth)[chosen]
        member = np.minimum((sure * BINS).astype(int), BINS - 1)
        return float(
            sum(
                abs(sure[member == b].mean() - right[member == b].mean()) * (member == b).mean()
                for b in np.unique(member)
            )
        )


def unseen_auroc(known: NDArray[np.float64], unseen: NDArray[np.float64]) -> float:
    """How well novelty parts images with unseen distortions from those with known: 0.5 by chance, 1 always."""
    return float(roc_auc_score(np.repeat([0, 1], [len(known), len(unseen)]), np.concatenate([known, unseen])))
