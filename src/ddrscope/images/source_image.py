"""Image files read with all that a new version of them keeps: depth, transparency and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.images.decoding import MAX_PIXELS, decode
from ddrscope.images.metadata import Metadata, read_metadata


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An image with its transparency and metadata.

    Attributes:
        color: float32 (H, W, 1) or (H, W, 3) in 0..1.
        alpha: float32 (H, W, 1) in 0..1; None for an opaque image.
        bits: Bits of a channel, 8 or 16.
        metadata: Colour profile, EXIF and resolution.
    """

    color: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    bits: int
    metadata: Metadata

    @property
    def rgb(self) -> NDArray[np.float32]:
        """The colour as (H, W, 3), grey repeated in all three channels."""
        return self.color if self.color.shape[2] == 3 else np.repeat(self.color, 3, axis=2)


def read_source_image(path: Path, max_pixels: int = MAX_PIXELS) -> SourceImage:
    """Read an image file with its transparency and metadata.

    Raises:
        UnreadableImage: The file cannot be decoded.
        InputError: The image is neither grey nor RGB.
    """
    raster = decode(path, max_pixels)
    color, alpha = raster.values, None
    if raster.alpha:
        color, alpha = color[..., :-1], color[..., -1:]
    if color.shape[2] not in (1, 3):
        raise InputError(f"{path}: has {color.shape[2]} channels: grey or RGB is needed")
    return SourceImage(color, alpha, 8 if raster.bits == 8 else 16, read_metadata(path, color.shape[2]))
