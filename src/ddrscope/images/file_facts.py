"""What an image file says of itself: its container, and how it was compressed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from ddrscope.images.pillow_files import open_image

# The luminance table of Annex K of the JPEG standard, which libjpeg scales by the quality.
_LUMINANCE = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip
_SUBSAMPLING = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass(frozen=True)
class FileFacts:
    """What a file says of itself.

    Attributes:
        format: Its container in small letters, as ``jpeg`` or ``png``, by content and not by name.
        jpeg_quality: Quality on libjpeg's scale, 1 to 100, whose quantization table is nearest; None for other formats.
        chroma_subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0`` of a JPEG in colour, else None.
    """

    format: str
    jpeg_quality: int | None = None
    chroma_subsampling: str | None = None


def read_file_facts(path: Path) -> FileFacts | None:
    """Read what a file says of itself from its header; None where the header cannot be read."""
    try:
        with open_image(path) as image:
            name = (image.format or "").lower()
            # Phones write JPEGs with further images behind the first one.
            return _jpeg_facts(image) if name in ("jpeg", "mpo") else FileFacts(name)
    except UnidentifiedImageError:
        return FileFacts(path.suffix.removeprefix(".").lower())
    # Crafted headers raise exceptions of many types.
    except Exception:
        return None


def _jpeg_facts(image: Image.Image) -> FileFacts:
    tables = image.quantization  # type: ignore[attr-defined]
    # Pillow counts the samples of colour; grey has none.
    sampling = _SUBSAMPLING.get(JpegImagePlugin.get_sampling(image)) if image.mode == "RGB" else None
    return FileFacts("jpeg", quality_of(np.array(tables[min(tables)])), sampling)


def quality_of(table: NDArray[np.int_]) -> int:
    """The quality, 1 to 100, whose luminance table of libjpeg is nearest to ``table`` (64 values in rows)."""
    # Relative: the coarse steps of high frequencies would outweigh all others.
    errors = np.abs(np.log(np.maximum(table, 1)) - np.log(_tables())).mean(axis=1)
    return int(errors.argmin()) + 1


@cache
def _tables() -> NDArray[np.int_]:
    """The tables of qualities 1 to 100, (100, 64), as libjpeg makes them."""
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_LUMINANCE * percent[:, None] + 50) // 100, 1, 255)
