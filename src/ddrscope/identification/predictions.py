"""What identifiers predict for images, as arrays."""

from __future__ import annotations

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
