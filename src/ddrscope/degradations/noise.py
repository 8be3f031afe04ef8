"""Random noise: Gaussian, Poisson, impulse, speckle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register


@register
@dataclass(frozen=True)
class GaussianNoise(Degradation):
    """Additive white Gaussian noise."""

    family = "noise"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 255, "sigma in 0..255 units")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return pixels + np.float32(self.level / 255) * rng.standard_normal(pixels.shape, dtype=np.float32)


@register
@dataclass(frozen=True)
class PoissonNoise(Degradation):
    """Poisson (photon) noise: stronger with fewer photons."""

    family = "poisson"
    stage = "after"
    level: Annotated[float, Range(1, 100_000, "photons at white")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # An earlier step may have left 0..1, and a rate cannot be negative.
        photons = rng.poisson(np.maximum(pixels, 0) * self.level)
        return (photons / self.level).astype(np.float32)

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class ImpulseNoise(Degradation):
    """Impulse (salt-and-pepper) noise: pixels become white or black."""

    family = "impulse"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent of pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sample = rng.random(pixels.shape[:2])
        half = self.level / 200
        result = pixels.copy()
        result[sample < half] = 0
        result[sample >= 1 - half] = 1
        return result


@register
@dataclass(frozen=True)
class SpeckleNoise(Degradation):
    """Speckle: Gaussian noise in proportion to the pixel's value."""

    family = "speckle"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 255, "sigma at white in 0..255 units")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return pixels * (1 + np.float32(self.level / 255) * rng.standard_normal(pixels.shape, dtype=np.float32))
