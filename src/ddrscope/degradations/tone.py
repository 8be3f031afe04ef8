"""Tone: brightness, contrast, saturation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..errors import InputError
from .base import Degradation, Range
from .registry import register

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def _grey(pixels: np.ndarray) -> np.ndarray:
    """The (H, W, 1) luma of three channels, else their mean."""
    return (pixels @ _LUMA if pixels.shape[2] == 3 else pixels.mean(axis=2))[..., None]


@register
@dataclass(frozen=True)
class Brightness(Degradation):
    """Brightness shift: below 0 darker, above 0 lighter."""

    family = "brightness"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(-255, 255, "offset in 0..255 units")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return pixels + np.float32(self.level / 255)

    @property
    def severity(self) -> float:
        return abs(self.level)


@register
@dataclass(frozen=True)
class Contrast(Degradation):
    """Contrast change about the picture's mean grey: below 1 flatter, above 1 harsher."""

    family = "contrast"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(0, 10, "factor")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mean = _grey(pixels).mean(dtype=np.float64).astype(np.float32)
        return mean + np.float32(self.level) * (pixels - mean)

    @property
    def severity(self) -> float:
        return abs(self.level - 1)


@register
@dataclass(frozen=True)
class Saturation(Degradation):
    """Saturation change of RGB pictures: below 1 paler, 0 grey, above 1 gaudier."""

    family = "saturation"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(0, 10, "factor")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if pixels.shape[2] != 3:
            raise InputError(
                f"'{self.text}' needs an RGB picture, not {pixels.shape[2]} channel(s): leave saturation out"
            )
        grey = _grey(pixels)
        return grey + np.float32(self.level) * (pixels - grey)

    @property
    def severity(self) -> float:
        return abs(self.level - 1)
