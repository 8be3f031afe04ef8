"""Spatial degradations: jittered pixels, displaced patches, pixelation, quantization, blocks of colour, interlacing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.ndimage import map_coordinates

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.degradations.resize import resize

_PATCH_SIDE, _BLOCK_SIDE = 16, 32


def _corners(shape: tuple[int, ...], side: int, percent: float, rng: np.random.Generator) -> np.ndarray:
    """Top left corners (count, 2) of one or more squares of ``side`` pixels, in all ``percent`` of the image's area."""
    height, width = shape[:2]
    count = max(1, round(percent / 100 * height * width / side**2)) if percent else 0
    return rng.integers(0, (max(height - side, 0) + 1, max(width - side, 0) + 1), (count, 2))


@register
@dataclass(frozen=True)
class Jitter(Degradation):
    """Jitter: every pixel is taken from a random position nearby."""

    family = "jitter"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 50, "sigma of the displacement in pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = pixels.shape[:2]
        positions = np.mgrid[:height, :width] + self.level * rng.standard_normal((2, height, width))
        planes = [
            map_coordinates(pixels[..., channel], positions, order=1, mode="reflect")
            for channel in range(pixels.shape[2])
        ]
        return np.stack(planes, axis=-1).astype(np.float32)


@register
@dataclass(frozen=True)
class DisplacedPatches(Degradation):
    """Displaced patches: squares of 16 pixels copied up to 8 pixels away (non-eccentricity patches)."""

    family = "patches"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent of the area")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = pixels.shape[:2]
        result = pixels.copy()
        for top, left in _corners(pixels.shape, _PATCH_SIDE, self.level, rng):
            patch = pixels[top : top + _PATCH_SIDE, left : left + _PATCH_SIDE]
            shift = rng.integers(-_PATCH_SIDE // 2, _PATCH_SIDE // 2 + 1, 2)
            y = int(np.clip(top + shift[0], 0, height - patch.shape[0]))
            x = int(np.clip(left + shift[1], 0, width - patch.shape[1]))
            result[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
        return result


@register
@dataclass(frozen=True)
class Pixelation(Degradation):
    """Pixelation: shrunk and enlarged without smoothing."""

    family = "pixelate"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(1, 64, "side of the squares in pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = pixels.shape[:2]
        small = (max(1, round(height / self.level)), max(1, round(width / self.level)))
        return resize(resize(pixels, small, "nearest"), (height, width), "nearest")


@register
@dataclass(frozen=True)
class Quantization(Degradation):
    """Quantization: each channel is reduced to a few values."""

    family = "quantize"
    stage = "after"
    neutral_level = 256
    level: Annotated[int, Range(2, 256, "values per channel")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        steps = np.float32(self.level - 1)
        return np.rint(pixels.clip(0, 1) * steps) / steps

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class ColorBlocks(Degradation):
    """Blocks of colour: squares of 32 pixels filled with random colours."""

    family = "color_block"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent of the area")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        result = pixels.copy()
        for top, left in _corners(pixels.shape, _BLOCK_SIDE, self.level, rng):
            result[top : top + _BLOCK_SIDE, left : left + _BLOCK_SIDE] = rng.random(pixels.shape[2], dtype=np.float32)
        return result


@register
@dataclass(frozen=True)
class Interlacing(Degradation):
    """Interlacing: every second row is displaced to the right, edge pixels repeated."""

    family = "interlace"
    stage = "after"
    neutral_level = 0
    level: Annotated[int, Range(0, 64, "displacement in pixels")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        columns = np.maximum(np.arange(pixels.shape[1]) - self.level, 0)
        result = pixels.copy()
        result[1::2] = pixels[1::2, columns]
        return result
