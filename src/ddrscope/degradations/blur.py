"""Blur with mirrored borders: Gaussian (isotropic and anisotropic), of a lens out of focus, of motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register

_FINE = 16  # A pixel of a kernel is made of so many finer ones a side.
_SIGMAS = 4.0  # The kernel ends here: beyond lie 6e-5 of its weight.


@register
@dataclass(frozen=True)
class GaussianBlur(Degradation):
    """Isotropic Gaussian blur."""

    family = "blur"
    stage = "before"
    neutral_level = 0
    level: Annotated[float, Range(0, 50, "sigma in HR pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return gaussian_filter(pixels, (self.level, self.level, 0), mode="reflect", truncate=_SIGMAS)


@register
@dataclass(frozen=True)
class AnisotropicBlur(Degradation):
    """Anisotropic Gaussian blur: sigma LEVEL along ANGLE, ACROSS at right angles to it."""

    family = "aniso_blur"
    stage = "before"
    level: Annotated[float, Range(0.3, 50, "sigma in HR pixels")]
    across: Annotated[float, Range(0.3, 50, "sigma in HR pixels")]
    angle: Annotated[float, Range(-180, 180, "degrees, counter-clockwise from horizontal")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolved(pixels, self._kernel())

    def _kernel(self) -> np.ndarray:
        radius = int(np.ceil(_SIGMAS * max(self.level, self.across)))
        x = np.arange(-radius, radius + 1)
        y = -x[:, None]  # Rows run downwards, angles count upwards.
        angle = np.deg2rad(self.angle)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-((along / self.level) ** 2 + (across / self.across) ** 2) / 2)
        return kernel / kernel.sum()


@register
@dataclass(frozen=True)
class LensBlur(Degradation):
    """Blur of a lens out of focus: the mean of a disc."""

    family = "lens_blur"
    stage = "before"
    level: Annotated[float, Range(0.5, 50, "radius in HR pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolved(pixels, self._kernel())

    def _kernel(self) -> np.ndarray:
        radius = int(np.ceil(self.level))
        places = (np.arange((2 * radius + 1) * _FINE) + 0.5) / _FINE - radius - 0.5
        inside = places**2 + places[:, None] ** 2 <= self.level**2
        kernel = inside.reshape(2 * radius + 1, _FINE, 2 * radius + 1, _FINE).mean(axis=(1, 3))
        return kernel / kernel.sum()


@register
@dataclass(frozen=True)
class MotionBlur(Degradation):
    """Motion blur: the mean of a line of pixels."""

    family = "motion_blur"
    stage = "before"
    neutral_level = 1
    level: Annotated[float, Range(1, 100, "length in HR pixels")]
    angle: Annotated[float, Range(-1, 180, "degrees, counter-clockwise from horizontal; -1: drawn at random")] = -1

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolved(pixels, self._kernel(rng.uniform(0, 180) if self.angle == -1 else self.angle))

    def _kernel(self, angle: float) -> np.ndarray:
        radius = int(np.ceil((self.level - 1) / 2))
        count = _FINE * (2 * radius + 1)
        along = ((np.arange(count) + 0.5) / count - 0.5) * (self.level - 1)
        xs, ys = along * np.cos(np.deg2rad(angle)), -along * np.sin(np.deg2rad(angle))
        kernel = np.zeros((2 * radius + 3, 2 * radius + 3))
        left, top = np.floor(xs), np.floor(ys)
        # Each point of the line is shared by the four pixels around it.
        for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = (1 - np.abs(xs - left - dx)) * (1 - np.abs(ys - top - dy))
            np.add.at(kernel, ((top + dy + radius + 1).astype(int), (left + dx + radius + 1).astype(int)), weight)
        return kernel / kernel.sum()


def _convolved(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    pad = kernel.shape[0] // 2
    padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    # Importing it takes longer than importing everything else here.
    from scipy.signal import oaconvolve

    return oaconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1)).astype(np.float32)
