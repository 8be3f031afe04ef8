"""Blur with mirrored borders: Gaussian (isotropic and anisotropic), out of focus, motion, ideal low-pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import j1

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register

_SUBPIXELS = 16  # Each pixel of a kernel is the mean of this many subpixels a side.
_RINGS = 5  # Where the kernel of an ideal low-pass filter ends, in periods of its cutoff frequency / 2.
_TRUNCATION_SIGMAS = 4.0  # Where a Gaussian kernel ends; 6e-5 of its weight lie beyond.


@register
@dataclass(frozen=True)
class GaussianBlur(Degradation):
    """Isotropic Gaussian blur."""

    family = "blur"
    stage = "before"
    neutral_level = 0
    level: Annotated[float, Range(0, 50, "sigma in HR pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return gaussian_filter(pixels, (self.level, self.level, 0), mode="reflect", truncate=_TRUNCATION_SIGMAS)


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
        return _convolve(pixels, self._kernel())

    def _kernel(self) -> np.ndarray:
        radius = int(np.ceil(_TRUNCATION_SIGMAS * max(self.level, self.across)))
        x = np.arange(-radius, radius + 1)
        y = -x[:, None]  # Rows run downwards, angles are counter-clockwise.
        angle = np.deg2rad(self.angle)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-((along / self.level) ** 2 + (across / self.across) ** 2) / 2)
        return kernel / kernel.sum()


@register
@dataclass(frozen=True)
class LensBlur(Degradation):
    """Blur of a lens out of focus: the mean over a disc."""

    family = "lens_blur"
    stage = "before"
    level: Annotated[float, Range(0.5, 50, "radius in HR pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolve(pixels, self._kernel())

    def _kernel(self) -> np.ndarray:
        radius = int(np.ceil(self.level))
        offsets = (np.arange((2 * radius + 1) * _SUBPIXELS) + 0.5) / _SUBPIXELS - radius - 0.5
        inside = offsets**2 + offsets[:, None] ** 2 <= self.level**2
        kernel = inside.reshape(2 * radius + 1, _SUBPIXELS, 2 * radius + 1, _SUBPIXELS).mean(axis=(1, 3))
        return kernel / kernel.sum()


@register
@dataclass(frozen=True)
class MotionBlur(Degradation):
    """Motion blur: the mean over a line of pixels."""

    family = "motion_blur"
    stage = "before"
    neutral_level = 1
    level: Annotated[float, Range(1, 100, "length in HR pixels")]
    angle: Annotated[float, Range(-1, 180, "degrees, counter-clockwise from horizontal; -1: drawn at random")] = -1

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolve(pixels, self._kernel(rng.uniform(0, 180) if self.angle == -1 else self.angle))

    def _kernel(self, angle: float) -> np.ndarray:
        radius = int(np.ceil((self.level - 1) / 2))
        count = _SUBPIXELS * (2 * radius + 1)
        along = ((np.arange(count) + 0.5) / count - 0.5) * (self.level - 1)
        xs, ys = along * np.cos(np.deg2rad(angle)), -along * np.sin(np.deg2rad(angle))
        kernel = np.zeros((2 * radius + 3, 2 * radius + 3))
        left, top = np.floor(xs), np.floor(ys)
        # Each point of the line contributes to the four pixels around it.
        for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = (1 - np.abs(xs - left - dx)) * (1 - np.abs(ys - top - dy))
            np.add.at(kernel, ((top + dy + radius + 1).astype(int), (left + dx + radius + 1).astype(int)), weight)
        return kernel / kernel.sum()


@register
@dataclass(frozen=True)
class Ringing(Degradation):
    """Ideal circular low-pass filter, which leaves ringing along edges."""

    family = "ringing"
    stage = "before"
    level: Annotated[float, Range(1, 8, "Nyquist frequency / cutoff frequency")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _convolve(pixels, self._kernel())

    def _kernel(self) -> np.ndarray:
        # The filter has no end; cut off after a few rings, as in the second stage of Real-ESRGAN's degradations.
        radius = int(np.ceil(_RINGS * self.level))
        axis = np.arange(-radius, radius + 1)
        distance = np.hypot(axis[:, None], axis)
        distance[radius, radius] = 1
        cutoff = np.pi / self.level
        kernel = cutoff * j1(cutoff * distance) / (2 * np.pi * distance)
        kernel[radius, radius] = cutoff**2 / (4 * np.pi)
        return kernel / kernel.sum()


def _convolve(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    pad = kernel.shape[0] // 2
    padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    # Importing it takes longer than importing everything else here.
    from scipy.signal import oaconvolve

    return oaconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1)).astype(np.float32)
