"""Decoded images, kept in memory up to a limit so that images are not decoded again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.images import ImageFile, LoadedImage, read_image

# About 120 images of 2040 x 1356 pixels.
MAX_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class _StoredImage:
    """Pixels as the integers of their source if that loses nothing, else as float32."""

    values: NDArray[Any]
    bits: int

    def pixels(self) -> NDArray[np.float32]:
        return _to_unit_range(self.values) if self.values.dtype.kind == "u" else self.values


class DecodedImages:
    """Reads images, each decoded once as long as all of them fit into memory.

    Images that do not fit are decoded at each read.

    Args:
        channels: Number of channels of the images.
        max_bytes: Memory for decoded images. An 8-bit image takes one byte a sample.
    """

    def __init__(self, channels: int, max_bytes: int = MAX_BYTES) -> None:
        self.channels, self.max_bytes = channels, max_bytes
        self._stored: dict[str, _StoredImage] = {}
        self._bytes = 0

    def read(self, file: ImageFile) -> LoadedImage:
        """Read an image as `ddrscope.images.read_image` does. Do not change its pixels.

        Raises:
            UnreadableImage: The file holds no image that can be given in ``channels`` channels.
        """
        key = str(file.path)
        if stored := self._stored.get(key):
            return LoadedImage(file.name, file.photo, stored.pixels(), stored.bits)
        image = read_image(file, self.channels)
        stored = _StoredImage(_compact(image), image.bits)
        if self._bytes + stored.values.nbytes <= self.max_bytes:
            self._stored[key] = stored
            self._bytes += stored.values.nbytes
        return image

    def clear(self) -> None:
        """Release the memory."""
        self._stored.clear()
        self._bytes = 0


def _compact(image: LoadedImage) -> NDArray[Any]:
    pixels = image.pixels
    if image.bits in (8, 16):
        integers = np.rint(pixels * np.float32(2**image.bits - 1)).astype(np.uint8 if image.bits == 8 else np.uint16)
        # 12-bit sources count as 16 bits but are on another grid.
        if np.array_equal(_to_unit_range(integers), pixels):
            return integers
    return pixels


def _to_unit_range(integers: NDArray[Any]) -> NDArray[np.float32]:
    return integers.astype(np.float32) / np.float32(np.iinfo(integers.dtype).max)
