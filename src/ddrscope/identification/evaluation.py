"""How accurate an identifier is: types, groups, levels, calibration, novelty, with intervals over photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ddrscope.identification.labelled_images import LabelledImage
from ddrscope.identification.predictions import Predictions
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife
from ddrscope.results.vocabulary import CLEAN

CALIBRATION_BINS = 10
# From this level on a distortion is clearly visible.
STRONG = 3


@dataclass(frozen=True)
class SampleEstimate(Estimate):
    """An estimate with its sample size.

    Args:
        n: The number of images.
        photos: The number of photographs, over which the interval is a jackknife.
    """

    n: int = 0
    photos: int = 0


def sample_estimate(
    measure: Callable[[NDArray[np.bool_]], float], photos: NDArray[np.str_], chosen: NDArray[np.bool_]
) -> SampleEstimate:
    """A measure of some images with its confidence interval and its sample size.

    Args:
        measure: From a mask (N,) of images to a number.
        photos: The photograph of each image, (N,).
        chosen: The images that the measure is of, (N,).

    Returns:
        The estimate, see `ddrscope.metrics.jackknife.jackknife`.
    """
    rows = np.flatnonzero(chosen)

    def statistic(positions: NDArray[np.integer]) -> float:
        mask = np.zeros(len(chosen), bool)
        mask[rows[positions]] = True
        return measure(mask)

    estimate = jackknife(statistic, photos[rows])
    return SampleEstimate(estimate.value, estimate.low, estimate.high, len(rows), len(np.unique(photos[rows])))


class Evaluation:
    """Predictions for labelled images, each with one distortion or none, beside the truth.

    Args:
        images: The images.
        predictions: For these images.
        groups: The group of each type.

    Attributes:
        truth: The index of the true class of each image, 0 for clean.
        predicted: The index of the predicted class.
        levels: The true level of each image, 0 for clean.
    """

    def __init__(self, images: Sequence[LabelledImage], predictions: Predictions, groups: Mapping[str, str]) -> None:
        self.names = np.array([CLEAN, *groups])
        self.groups = np.array([CLEAN, *groups.values()])
        self.photos = np.array([image.photo for image in images])
        self.predictions = predictions
        types = [next(iter(image.levels), CLEAN) for image in images]
        self.truth = np.array([list(self.names).index(name) for name in types])
        self.levels = np.array([next(iter(image.levels.values()), 0) for image in images])
        self.predicted, self.group_probability = predictions.decide(self.groups.tolist())

    def measures(self) -> dict[str, SampleEstimate]:
        """Every measure by name; those that end in ``_strong`` are of levels 3 to 5."""
        everything = np.ones(len(self.truth), bool)
        strong, distorted = self.levels >= STRONG, self.levels > 0
        type_hits = self.predicted == self.truth
        group_hits = self.groups[self.predicted] == self.groups[self.truth]
        level_errors = np.abs(self._predicted_level() - self.levels)
        rows: dict[str, tuple[Callable[[NDArray[np.bool_]], float], NDArray[np.bool_]]] = {
            "type_accuracy": (lambda chosen: float(type_hits[chosen].mean()), everything),
            "type_accuracy_strong": (lambda chosen: float(type_hits[chosen].mean()), strong),
            "group_accuracy": (lambda chosen: float(group_hits[chosen].mean()), everything),
            "group_accuracy_strong": (lambda chosen: float(group_hits[chosen].mean()), strong),
            "level_spearman": (self._level_spearman, distorted),
            "level_error": (lambda chosen: float(level_errors[chosen].mean()), distorted),
            "level_coverage": (self._level_coverage, distorted),
            "calibration_error": (self._calibration_error, everything),
            "group_calibration_error": (
                lambda chosen: _calibration_error(self.group_probability[chosen], group_hits[chosen]),
                everything,
            ),
        }
        return {name: sample_estimate(measure, self.photos, chosen) for name, (measure, chosen) in rows.items()}

    def confusion(self) -> NDArray[np.float64]:
        """The share (1 + T, 1 + T) of the images of the row's class that are predicted to be of the column's class."""
        counts = np.zeros((len(self.names), len(self.names)))
        np.add.at(counts, (self.truth, self.predicted), 1)
        return counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def _predicted_level(self) -> NDArray[np.float64]:
        """The predicted level of the true type."""
        return self.predictions.levels[np.arange(len(self.truth)), np.maximum(self.truth - 1, 0), 1]

    def _level_spearman(self, chosen: NDArray[np.bool_]) -> float:
        """The mean over types of Spearman's correlation of predicted and true level."""
        level, correlations = self._predicted_level(), []
        for index in range(1, len(self.names)):
            rows = chosen & (self.truth == index)
            if rows.any():
                # The correlation of a constant prediction is undefined.
                varies = np.ptp(level[rows]) > 0
                correlations.append(spearmanr(level[rows], self.levels[rows]).statistic if varies else 0.0)
        return float(np.mean(correlations))

    def _level_coverage(self, chosen: NDArray[np.bool_]) -> float:
        """The share of true levels within their predicted intervals."""
        ends = self.predictions.levels[np.arange(len(self.truth)), np.maximum(self.truth - 1, 0)]
        return float(((ends[:, 0] <= self.levels) & (self.levels <= ends[:, 2]))[chosen].mean())

    def _calibration_error(self, chosen: NDArray[np.bool_]) -> float:
        confidence = self.predictions.probabilities[np.arange(len(self.truth)), self.predicted]
        return _calibration_error(confidence[chosen], (self.predicted == self.truth)[chosen])


def _calibration_error(confidence: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    """The expected calibration error of probabilities, in bins of equal width."""
    member = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    errors = [
        abs(confidence[member == index].mean() - hits[member == index].mean()) * (member == index).mean()
        for index in np.unique(member)
    ]
    return float(sum(errors))


def unseen_auroc(known: NDArray[np.float64], unseen: NDArray[np.float64]) -> float:
    """The area under the ROC curve by which novelty separates unseen distortions from known ones: 0.5 is chance."""
    return float(roc_auc_score(np.repeat([0, 1], [len(known), len(unseen)]), np.concatenate([known, unseen])))
