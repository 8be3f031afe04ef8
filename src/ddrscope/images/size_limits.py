"""Limits on the size of a decoded image."""

from __future__ import annotations

import math

MAX_PIXELS = 200_000_000


def check_size(height: int, width: int, channels: int, max_pixels: int) -> None:
    """Raise ValueError for an image without pixels, or with more than ``max_pixels``."""
    if height * width * channels == 0:
        raise ValueError(f"has no pixels ({width} x {height}, {channels} channels)")
    # Channels beyond RGB and alpha take memory too, so they count.
    if height * width * max(channels, 4) > 4 * max_pixels:
        channel_note = f" x {channels} channels" if channels > 4 else ""
        raise ValueError(f"{width} x {height} pixels{channel_note} are more than the limit of {max_pixels} pixels")


def check_chunk(shape: tuple[int, ...], max_values: int) -> None:
    """Raise ValueError for a strip or tile of a TIFF that holds more than ``max_values`` values.

    A strip or tile is decompressed whole, however little of it the image needs.
    """
    if math.prod(shape) > max_values:
        raise ValueError(f"its strips or tiles of shape {shape} are more than the limit of {max_values} values")
