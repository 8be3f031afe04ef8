"""Loss of resolution by resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.degradations.resize import Interpolation, resize


@register
@dataclass(frozen=True)
class Resampling(Degradation):
    """Shrinks by a factor and enlarges again with the same interpolation."""

    family = "resample"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(1, 64, "factor")]
    interpolation: Interpolation = "bicubic"

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = pixels.shape[:2]
        small = (max(1, round(height / self.level)), max(1, round(width / self.level)))
        return resize(resize(pixels, small, self.interpolation), (height, width), self.interpolation)
