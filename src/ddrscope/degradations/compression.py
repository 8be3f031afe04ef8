"""Lossy compression of still images: rounded to 8 bits, encoded and decoded."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image

from ddrscope.degradations.base import Degradation, Range
from ddrscope.degradations.registry import register
from ddrscope.errors import InputError
from ddrscope.images.decoding import open_image

_MAX_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 65_536}


def _round_trip(pixels: np.ndarray, format: str, **options: Any) -> np.ndarray:
    """Encode and decode an image (H, W, C): three channels as RGB, any other number each as a grey image."""
    height, width, channels = pixels.shape
    max_side = _MAX_SIDE.get(format)
    if max_side and max(height, width) > max_side:
        raise InputError(f"{format} holds at most {max_side} pixels per side, not {width} x {height}: crop the image")
    levels = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
    planes = [levels] if channels == 3 else [levels[..., c] for c in range(channels)]
    decoded = []
    for plane in planes:
        image, file = Image.fromarray(plane), BytesIO()
        image.save(file, format, **options)
        # Not `Image.open`, whose size limit is for untrusted files.
        decoded.append(np.asarray(open_image(file, (format,)).convert(image.mode)))
    result = decoded[0] if channels == 3 else np.stack(decoded, axis=-1)
    return result.astype(np.float32) / np.float32(255)


@register
@dataclass(frozen=True)
class Jpeg(Degradation):
    """JPEG compression, by default with colour at half resolution (4:2:0)."""

    family = "jpeg"
    stage = "after"
    neutral_level = 100
    level: Annotated[int, Range(1, 100, "quality")]
    subsampling: Literal["420", "422", "444"] = "420"

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _round_trip(pixels, "JPEG", quality=self.level, subsampling=":".join(self.subsampling))

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class Jpeg2000(Degradation):
    """JPEG 2000 compression, irreversible wavelet."""

    family = "jpeg2000"
    stage = "after"
    neutral_level = 1
    level: Annotated[float, Range(1, 1000, "compression ratio")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _round_trip(pixels, "JPEG2000", quality_mode="rates", quality_layers=[self.level], irreversible=True)


@register
@dataclass(frozen=True)
class WebP(Degradation):
    """Lossy WebP compression."""

    family = "webp"
    stage = "after"
    neutral_level = 100
    level: Annotated[int, Range(0, 100, "quality")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _round_trip(pixels, "WEBP", quality=self.level)

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class Avif(Degradation):
    """AVIF compression (AV1), colour at half resolution (4:2:0)."""

    family = "avif"
    stage = "after"
    neutral_level = 100
    level: Annotated[int, Range(0, 100, "quality")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # One thread, so that the result is the same on every machine; speed 8 of 10 is four times the default's.
        return _round_trip(pixels, "AVIF", quality=self.level, subsampling="4:2:0", speed=8, max_threads=1)

    @property
    def severity(self) -> float:
        return -self.level


@register
@dataclass(frozen=True)
class JpegXL(Degradation):
    """JPEG XL compression."""

    family = "jpeg_xl"
    stage = "after"
    neutral_level = 0.1
    level: Annotated[float, Range(0.1, 25, "Butteraugli distance; 1 is hardly visible")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # Imported late: it takes a tenth of a second.
        import imagecodecs

        levels = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)
        planes = [levels] if pixels.shape[2] == 3 else [levels[..., c] for c in range(pixels.shape[2])]
        decoded = [
            imagecodecs.jpegxl_decode(imagecodecs.jpegxl_encode(plane, distance=self.level, effort=3, numthreads=1))
            for plane in planes
        ]
        result = decoded[0] if pixels.shape[2] == 3 else np.stack(decoded, axis=-1)
        return result.astype(np.float32) / np.float32(255)
