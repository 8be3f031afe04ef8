"""On which scales physical estimates are made, and what their values are in an undamaged image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddrscope.results.vocabulary import ESTIMATES


@dataclass(frozen=True)
class Scale:
    """On which scale an estimate is made: errors of a small value matter more than those of a large one.

    Args:
        unit: Values are divided by it first.
        logarithmic: Whether the logarithm of 1 + value / unit is taken.
        low: The smallest value.
        high: The largest value.
    """

    unit: float
    logarithmic: bool
    low: float
    high: float

    def forward(self, values: Tensor) -> Tensor:
        """Values to the scale."""
        return (values / self.unit).log1p() if self.logarithmic else values / self.unit

    def inverse(self, values: Tensor) -> Tensor:
        """The scale to values."""
        return ((values.expm1() if self.logarithmic else values) * self.unit).clamp(self.low, self.high)


SCALES = {
    "blur_sigma": Scale(0.5, True, 0, 50),
    "noise_sigma": Scale(2, True, 0, 255),
    "jpeg_quality": Scale(20, False, 1, 100),
    "first_jpeg_quality": Scale(20, False, 1, 100),
    "native_scale": Scale(0.3, True, 1, 16),
    "motion_length": Scale(2, True, 1, 200),
    "exposure": Scale(1, False, -10, 10),
}


# The value of an estimate in an undamaged image; those without one have a meaning only where there is damage.
UNDAMAGED = {"blur_sigma": 0.0, "noise_sigma": 0.0, "jpeg_quality": 100.0, "native_scale": 1.0, "exposure": 0.0}


def damage_of(truths: Tensor) -> Tensor:
    """1 where there is damage, 0 where there is none, for estimates (N, P); NaN where one cannot know."""
    undamaged = truths.new_tensor([UNDAMAGED.get(name, torch.nan) for name in ESTIMATES])
    damaged = (truths != undamaged).float()
    return damaged.masked_fill(truths.isnan(), torch.nan)
