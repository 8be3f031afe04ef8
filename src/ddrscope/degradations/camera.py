"""What a camera's sensor and its development do to an image: noise, and interpolation of the colour mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import convolve, gaussian_filter

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.errors import InputError

_GAMMA = 2.2
# Gains of red and blue in daylight, by which a camera multiplies its raw values and their noise.
_WHITE_BALANCE = np.array([2.0, 1.0, 1.6], dtype=np.float32)
# The share of the variance at mid grey that does not come from photons but from reading the sensor.
_READ_NOISE = 0.2
_MID_GREY = 0.5**_GAMMA
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Bilinear interpolation of a Bayer mosaic: green lies on every second pixel, red and blue on every fourth.
_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], dtype=np.float32) / 4
_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32) / 4


@register
@dataclass(frozen=True)
class CameraNoise(Degradation):
    """Noise of a camera: photon and read noise of a Bayer sensor, developed to sRGB, so that it is grainy and coloured."""

    family = "camera_noise"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "sigma of raw green at mid grey in 0..255 units")]
    smoothing: Annotated[float, Range(0, 5, "sigma in pixels of the camera's noise reduction")] = 0.0
    chroma_smoothing: Annotated[float, Range(0, 10, "sigma in pixels of that of colour, which becomes blotchy")] = 0.0

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _check_rgb(self, pixels)
        linear = pixels.clip(0, 1) ** np.float32(_GAMMA)
        # The derivative of the tone curve at mid grey carries the level from sRGB to raw values.
        sigma = self.level / 255 * _GAMMA * _MID_GREY ** (1 - 1 / _GAMMA)
        raw = linear / _WHITE_BALANCE
        variance = sigma**2 * (_READ_NOISE + (1 - _READ_NOISE) * raw / np.float32(_MID_GREY))
        noise = np.sqrt(variance) * rng.standard_normal(raw.shape, dtype=np.float32)
        noise = _interpolated_mosaic(noise * _WHITE_BALANCE)
        if self.smoothing:
            noise = gaussian_filter(noise, (self.smoothing, self.smoothing, 0), mode="reflect")
        if self.chroma_smoothing:
            noise = _with_coarse_chroma(noise, self.chroma_smoothing)
        # Only the noise goes through the pipeline: its loss of sharpness is no part of this degradation.
        developed = (linear + noise).clip(0, 1) ** np.float32(1 / _GAMMA)
        return np.asarray(pixels + developed - pixels.clip(0, 1), dtype=np.float32)


@register
@dataclass(frozen=True)
class Demosaic(Degradation):
    """Loss of sharpness by a camera's interpolation of its Bayer mosaic: soft edges with coloured fringes."""

    family = "demosaic"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent of bilinear interpolation in the result")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        _check_rgb(self, pixels)
        share = np.float32(self.level / 100)
        return np.asarray(pixels + share * (_interpolated_mosaic(pixels) - pixels), dtype=np.float32)


def _with_coarse_chroma(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Noise whose colour is smoothed and as strong as before: cameras smooth colour most where it is strongest."""
    luma = (noise @ _LUMA)[..., None]
    chroma = noise - luma
    coarse = gaussian_filter(chroma, (sigma, sigma, 0), mode="reflect")
    strengths = [np.sqrt(np.mean(np.square(part)) + 1e-12) for part in (chroma, coarse)]
    return np.asarray(luma + coarse * np.float32(strengths[0] / strengths[1]), dtype=np.float32)


def _check_rgb(degradation: Degradation, pixels: np.ndarray) -> None:
    if pixels.shape[2] != 3:
        raise InputError(
            f"'{degradation.text}' needs an RGB image, not {pixels.shape[2]} channel(s): leave {degradation.family} out"
        )


def _interpolated_mosaic(channels: np.ndarray) -> np.ndarray:
    """What bilinear interpolation makes of the pixels that an RGGB mosaic has of each channel."""
    masks = np.zeros_like(channels)
    masks[0::2, 0::2, 0] = masks[0::2, 1::2, 1] = masks[1::2, 0::2, 1] = masks[1::2, 1::2, 2] = 1
    kernels = (_RED_BLUE, _GREEN, _RED_BLUE)
    planes = [convolve(channels[..., c] * masks[..., c], kernels[c], mode="mirror") for c in range(3)]
    return np.stack(planes, axis=-1)
