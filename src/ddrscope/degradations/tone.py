"""Tone: brightness, contrast, saturation, curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.errors import InputError

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_GAMMA = 2.2
_AIRLIGHT = 0.85


def _grey(pixels: np.ndarray) -> np.ndarray:
    """The luma (H, W, 1) of three channels, else their mean."""
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
    """Contrast change about the image's mean grey: below 1 lower, above 1 higher."""

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
    """Saturation change of RGB images: below 1 less saturated, 0 grey, above 1 more saturated."""

    family = "saturation"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(0, 10, "factor")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if pixels.shape[2] != 3:
            raise InputError(
                f"'{self.text}' needs an RGB image, not {pixels.shape[2]} channel(s): leave saturation out"
            )
        grey = _grey(pixels)
        return grey + np.float32(self.level) * (pixels - grey)

    @property
    def severity(self) -> float:
        return abs(self.level - 1)


def _apply_curve(pixels: np.ndarray, inputs: tuple[float, ...], outputs: tuple[float, ...]) -> np.ndarray:
    """Apply the smooth curve through the given points and (0, 0) and (1, 1) to every value."""
    # Importing it is slow.
    from scipy.interpolate import CubicSpline

    curve = CubicSpline((0, *inputs, 1), (0, *outputs, 1))
    return curve(pixels.clip(0, 1)).astype(np.float32)


@register
@dataclass(frozen=True)
class Brightening(Degradation):
    """Brightening by a curve that raises the middle tones; black and white stay."""

    family = "brighten"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 1.2, "mid grey rises by half of it")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _apply_curve(pixels, (0.5,), (0.5 + self.level / 2,))


@register
@dataclass(frozen=True)
class Darkening(Degradation):
    """Darkening by a curve that lowers the middle tones; black and white stay."""

    family = "darken"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 1.2, "mid grey falls by half of it")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _apply_curve(pixels, (0.5,), (0.5 - self.level / 2,))


@register
@dataclass(frozen=True)
class ContrastCurve(Degradation):
    """Contrast by a curve about mid grey: below -0.2 lower, above -0.2 higher; black and white stay."""

    family = "contrast_curve"
    stage = "after"
    neutral_level = -0.2
    level: Annotated[float, Range(-1, 1, "tones 0.3 and 0.7 move to 0.25 - LEVEL/4 and 0.75 + LEVEL/4")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _apply_curve(pixels, (0.3, 0.5, 0.7), (0.25 - self.level / 4, 0.5, 0.75 + self.level / 4))

    @property
    def severity(self) -> float:
        return abs(self.level + 0.2)


@register
@dataclass(frozen=True)
class TonalRange(Degradation):
    """Tonal range compressed about mid grey: black and white become grey."""

    family = "tonal_range"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(0, 1, "width of the range that is left")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.float32(0.5) + np.float32(self.level) * (pixels.clip(0, 1) - np.float32(0.5))

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class Exposure(Degradation):
    """Wrong exposure: linear light times 2^LEVEL; what is above white is lost."""

    family = "exposure"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(-10, 10, "exposure value, in stops")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(pixels.clip(0, 1) * np.float32(2 ** (self.level / _GAMMA)), dtype=np.float32).clip(0, 1)

    @property
    def severity(self) -> float:
        return abs(self.level)


@register
@dataclass(frozen=True)
class Haze(Degradation):
    """Haze of one depth: light grey mixed in."""

    family = "haze"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent of the light that comes from the haze")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        share = np.float32(self.level / 100)
        return (1 - share) * pixels + share * np.float32(_AIRLIGHT)
