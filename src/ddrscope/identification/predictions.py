"""What identifiers predict for images, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Details:
    """What a compact network estimates beside types.

    Args:
        estimates: Quantiles of each of `ESTIMATES` in its unit, (N, P, 3).
        motion_angle: The angle of a motion in degrees, (N,).
        answers: The probability of each of `QUESTIONS`, (N, Q).
        interpolation: The probability of each of `INTERPOLATIONS`, (N, 4).
    """

    estimates: NDArray[np.float64]
    motion_angle: NDArray[np.float64]
    answers: NDArray[np.float64]
    interpolation: NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What is predicted for N images and T types.

    Args:
        probabilities: That each type is present, (N, 1 + T), clean first; they need not sum to 1.
        levels: The level of each type if it is present, 1 to 5, (N, T, 3): the middle between the ends of its 80 %
            interval.
        novelty: The share of images with known distortions that are more ordinary, (N,).
        details: None where the identifier estimates none.
    """

    probabilities: NDArray[np.float64]
    levels: NDArray[np.float64]
    novelty: NDArray[np.float64]
    details: Details | None = None

    def decide(self, groups: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The likeliest type of the likeliest group, and the probability that this group is present.

        Types of a group mostly exclude each other, so their probabilities add up: an image that is blurred in one of
        three ways is blurred.

        Args:
            groups: The group of each class, clean first.

        Returns:
            The index of a class (N,), and probabilities (N,).
        """
        names = list(dict.fromkeys(groups))
        members = np.array([[group == name for name in names] for group in groups], dtype=float)
        likelihoods = np.minimum(self.probabilities @ members, 1)
        chosen = likelihoods.argmax(1)
        within = np.where(members[:, chosen].T > 0, self.probabilities, -1)
        return within.argmax(1), likelihoods.max(1)
