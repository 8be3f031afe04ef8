"""Gaussian blur, isotropic and anisotropic, with mirrored borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import oaconvolve

from .base import Degradation, Range
from .registry import register

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
        kernel = self._kernel()
        pad = kernel.shape[0] // 2
        padded = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
        return oaconvolve(padded, kernel[..., None], mode="valid", axes=(0, 1)).astype(np.float32)

    def _kernel(self) -> np.ndarray:
        radius = int(np.ceil(_SIGMAS * max(self.level, self.across)))
        x = np.arange(-radius, radius + 1)
        y = -x[:, None]  # Rows run downwards, angles count upwards.
        angle = np.deg2rad(self.angle)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = y * np.cos(angle) - x * np.sin(angle)
        kernel = np.exp(-((along / self.level) ** 2 + (across / self.across) ** 2) / 2)
        return kernel / kernel.sum()
