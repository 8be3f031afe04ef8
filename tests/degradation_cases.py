"""Degradations at levels from mild to severe, and what the tests of degradations share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import ddrscope
from ddrscope.degradations import parse_degradation

PHOTOS = Path(ddrscope.__path__[0]) / "data" / "photos"

# Levels of every family from mild to severe.
LADDERS = {
    "aniso_blur": ["aniso_blur:0.5,0.5,30", "aniso_blur:2,0.5,30", "aniso_blur:4,0.5,30", "aniso_blur:8,0.5,30"],
    "avif": ["avif:90", "avif:60", "avif:30", "avif:5"],
    "blur": ["blur:0.5", "blur:1", "blur:2", "blur:4", "blur:8"],
    "brighten": ["brighten:0.1", "brighten:0.2", "brighten:0.4", "brighten:0.8"],
    "brightness": ["brightness:-10", "brightness:20", "brightness:-40", "brightness:80"],
    "demosaic": ["demosaic:20", "demosaic:50", "demosaic:75", "demosaic:100"],
    "camera_noise": ["camera_noise:2", "camera_noise:6", "camera_noise:15", "camera_noise:40"],
    "chroma": ["chroma:0.7", "chroma:0.2", "chroma:2", "chroma:4", "chroma:8"],
    "color_block": ["color_block:6", "color_block:20", "color_block:40", "color_block:90"],
    "color_cast": ["color_cast:4,90", "color_cast:10,90", "color_cast:20,90", "color_cast:40,90"],
    "color_diffusion": ["color_diffusion:1", "color_diffusion:3", "color_diffusion:6", "color_diffusion:12"],
    "color_noise": ["color_noise:2", "color_noise:6", "color_noise:12", "color_noise:24"],
    "color_shift": ["color_shift:1", "color_shift:3", "color_shift:6", "color_shift:12"],
    "contrast": ["contrast:0.9", "contrast:0.7", "contrast:0.4", "contrast:0"],
    "contrast_curve": ["contrast_curve:-0.3", "contrast_curve:0", "contrast_curve:-0.5", "contrast_curve:0.3"],
    "darken": ["darken:0.1", "darken:0.2", "darken:0.4", "darken:0.8"],
    "exposure": ["exposure:-0.3", "exposure:0.6", "exposure:-2", "exposure:-4"],
    "haze": ["haze:10", "haze:30", "haze:60", "haze:90"],
    "hsv_saturation": ["hsv_saturation:0.8", "hsv_saturation:0.4", "hsv_saturation:0", "hsv_saturation:-0.5"],
    "impulse": ["impulse:0.5", "impulse:2", "impulse:10", "impulse:40"],
    "interlace": ["interlace:1", "interlace:2", "interlace:4", "interlace:8"],
    "jitter": ["jitter:0.2", "jitter:0.5", "jitter:1", "jitter:3"],
    "jpeg": ["jpeg:90", "jpeg:60", "jpeg:30", "jpeg:10"],
    "jpeg2000": ["jpeg2000:4", "jpeg2000:16", "jpeg2000:64", "jpeg2000:256"],
    "jpeg_xl": ["jpeg_xl:0.5", "jpeg_xl:2", "jpeg_xl:6", "jpeg_xl:20"],
    "lens_blur": ["lens_blur:1", "lens_blur:2", "lens_blur:4", "lens_blur:8"],
    "motion_blur": ["motion_blur:2,30", "motion_blur:4,30", "motion_blur:8,30", "motion_blur:16,30"],
    "noise": ["noise:5", "noise:10", "noise:20", "noise:40"],
    "patches": ["patches:2", "patches:10", "patches:30", "patches:90"],
    "pixelate": ["pixelate:1.5", "pixelate:3", "pixelate:6", "pixelate:12"],
    "poisson": ["poisson:1000", "poisson:300", "poisson:100", "poisson:30"],
    "quantize": ["quantize:64", "quantize:16", "quantize:8", "quantize:4"],
    "resample": ["resample:1.5", "resample:2", "resample:4", "resample:8"],
    "ringing": ["ringing:1.2", "ringing:2", "ringing:4", "ringing:8"],
    "saturation": ["saturation:0.9", "saturation:0.6", "saturation:0.3", "saturation:0"],
    "sharpen": ["sharpen:0.5", "sharpen:1", "sharpen:3", "sharpen:10"],
    "speckle": ["speckle:5", "speckle:20", "speckle:50", "speckle:100"],
    "tonal_range": ["tonal_range:0.9", "tonal_range:0.6", "tonal_range:0.3", "tonal_range:0.1"],
    "video": ["video:15", "video:25", "video:35", "video:48"],
    "webp": ["webp:90", "webp:60", "webp:30", "webp:5"],
}
COLOR_ONLY = (
    "saturation", "hsv_saturation", "chroma", "color_diffusion", "color_shift", "color_noise", "color_cast", "sharpen",
    "camera_noise", "demosaic", "video",
)  # fmt: skip
PIPELINES = ["clean", *(ladder[2] for ladder in LADDERS.values()), "blur:2+noise:10+jpeg:40", "resample:3,lanczos"]


def as_float(levels: np.ndarray) -> np.ndarray:
    return levels.astype(np.float32) / np.float32(255)


def flat(value: float, size: int = 256) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.float32)


def degrade(text: str, pixels: np.ndarray, bits: int = 32, **options: int) -> np.ndarray:
    return parse_degradation(text).apply(pixels, bits=bits, **options)
