"""Degradations of RGB images: colour diffusion, displacement, saturation, colour noise, sharpening of lightness."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import gaussian_filter, shift
from skimage import color

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.errors import InputError

# Edges are smoothed with this sigma in pixels; the displacement is complete where they exceed this percentile.
_EDGE_SIGMA, _EDGE_PERCENTILE = 4.0, 99


class _ColorDegradation(Degradation):
    """A degradation of RGB images."""

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if pixels.shape[2] != 3:
            raise InputError(
                f"'{self.text}' needs an RGB image, not {pixels.shape[2]} channel(s): leave {self.family} out"
            )
        return self._apply_to_rgb(pixels.clip(0, 1), rng).astype(np.float32)

    @abstractmethod
    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Degrade a float32 (H, W, 3) image in 0..1."""


@register
@dataclass(frozen=True)
class ColorDiffusion(_ColorDegradation):
    """Colour diffusion: the chroma channels (CIELAB a, b) are blurred and amplified."""

    family = "color_diffusion"
    stage = "after"
    level: Annotated[float, Range(1, 12, "factor of the colours; sigma 1.5 LEVEL + 2 pixels")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        lab = color.rgb2lab(pixels)
        sigma = 1.5 * self.level + 2
        lab[..., 1:] = self.level * gaussian_filter(lab[..., 1:], (sigma, sigma, 0), mode="reflect")
        return _to_rgb(lab)


@register
@dataclass(frozen=True)
class ColorShift(_ColorDegradation):
    """Colour shift: the green channel is displaced in a random direction near edges."""

    family = "color_shift"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 50, "displacement in pixels")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        angle = rng.uniform(0, 2 * np.pi)
        displaced = shift(
            pixels[..., 1], (self.level * np.sin(angle), self.level * np.cos(angle)), order=1, mode="nearest"
        )
        gradient = (
            np.hypot(*np.gradient(color.rgb2gray(pixels))) if min(pixels.shape[:2]) > 1 else np.zeros(pixels.shape[:2])
        )
        edges = gaussian_filter(gradient, _EDGE_SIGMA, mode="reflect")
        edges = (edges / max(np.percentile(edges, _EDGE_PERCENTILE), 1e-12)).clip(0, 1)
        result = pixels.copy()
        result[..., 1] += edges * (displaced - pixels[..., 1])
        return result


@register
@dataclass(frozen=True)
class HsvSaturation(_ColorDegradation):
    """Saturation in HSV: below 1 less saturated, 0 grey, below 0 the opposite hue."""

    family = "hsv_saturation"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(-1, 10, "factor")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # The value is the largest channel. The others lie below it in proportion to the saturation, which is at most 1.
        value = pixels.max(axis=2, keepdims=True)
        chroma = value - pixels.min(axis=2, keepdims=True)
        max_factor = np.divide(value, chroma, out=np.zeros_like(value), where=chroma > 0)
        return value - (value - pixels) * np.minimum(np.float32(self.level), max_factor)

    @property
    def severity(self) -> float:
        return abs(self.level - 1)


@register
@dataclass(frozen=True)
class Chroma(_ColorDegradation):
    """Chroma (CIELAB a, b): below 1 less saturated, above 1 more saturated."""

    family = "chroma"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(0, 20, "factor")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.level == 1:
            return pixels
        lab = color.rgb2lab(pixels)
        lab[..., 1:] *= self.level
        return _to_rgb(lab)

    @property
    def severity(self) -> float:
        return abs(self.level - 1)


@register
@dataclass(frozen=True)
class ColorNoise(_ColorDegradation):
    """Colour noise: white Gaussian noise added in YCbCr."""

    family = "color_noise"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 255, "sigma in 0..255 units")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = np.float32(self.level / 255) * rng.standard_normal(pixels.shape, dtype=np.float32)
        return pixels + noise @ _FROM_YCBCR.T


# ITU-R BT.601, full range: R, G, B from Y, Cb, Cr.
_FROM_YCBCR = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)


@register
@dataclass(frozen=True)
class Sharpening(_ColorDegradation):
    """Excessive sharpening: detail of the lightness (CIELAB L) below 6 pixels is amplified."""

    family = "sharpen"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 50, "times the detail is added")]

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.level == 0:
            return pixels
        lab = color.rgb2lab(pixels)
        light = lab[..., 0]
        lab[..., 0] = light + self.level * (light - gaussian_filter(light, 6, mode="reflect", truncate=1))
        return _to_rgb(lab)


@register
@dataclass(frozen=True)
class ColorCast(_ColorDegradation):
    """Colour cast: all colours displaced towards one hue (CIELAB a, b)."""

    family = "color_cast"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "displacement in CIELAB units")]
    hue: Annotated[float, Range(-1, 360, "degrees: 0 red, 90 yellow, 180 green, 270 blue; -1: random")] = -1.0

    def _apply_to_rgb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        hue = np.deg2rad(rng.uniform(0, 360) if self.hue == -1 else self.hue)
        lab = color.rgb2lab(pixels)
        lab[..., 1:] += self.level * np.array([np.cos(hue), np.sin(hue)])
        return _to_rgb(lab)


def _to_rgb(lab: np.ndarray) -> np.ndarray:
    """RGB in 0..1 from CIELAB; colours outside the gamut are clipped."""
    lab[..., 0] = lab[..., 0].clip(0, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that colours were clipped
        return color.lab2rgb(lab)
