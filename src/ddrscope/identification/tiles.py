"""Tiles: an image of any size is read through windows of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The block grids of JPEG and of video codecs start at the corner of the image; tiles start on them.
ALIGNMENT = 8
# The side of a tile in pixels.
TILE = 128
MAX_TILES = 16


def place_tiles(
    height: int, width: int, side: int, limit: int | None = None, stride: int | None = None
) -> list[tuple[int, int]]:
    """Place tiles so that they cover an image.

    Args:
        height: Of the image in pixels.
        width: Of the image in pixels.
        side: Of a tile in pixels.
        limit: The largest number of tiles; they are spread evenly over the image. Default: no limit.
        stride: The largest distance of neighbours in pixels. Default: ``side``.

    Returns:
        The corners (top, left), row by row; one corner if the image is no larger than a tile. The last tiles end within
        `ALIGNMENT` pixels of the border.
    """
    rows, columns = (_starts(length, side, stride or side) for length in (height, width))
    if limit is not None:
        # The longer axis first, so that every part of the image is seen.
        while len(rows) * len(columns) > limit:
            if len(rows) > len(columns):
                rows = _thinned(rows)
            else:
                columns = _thinned(columns)
    return [(top, left) for top in rows for left in columns]


def cut_tiles(pixels: NDArray[np.float32], corners: list[tuple[int, int]]) -> NDArray[np.float32]:
    """The tiles (N, `TILE`, `TILE`, C) of an image at these corners, smaller where the image is smaller."""
    return np.stack([pixels[top : top + TILE, left : left + TILE] for top, left in corners])


def tile_boxes(corners: list[tuple[int, int]], height: int, width: int) -> tuple[tuple[int, int, int, int], ...]:
    """The part of an image that each tile stands for: top, left, bottom, right.

    A last tile also stands for the few pixels between it and the border, which its alignment leaves out.
    """
    return tuple((top, left, _end(top, height), _end(left, width)) for top, left in corners)


def _end(start: int, length: int) -> int:
    end = start + TILE
    return length if length - end < ALIGNMENT else end


def _starts(length: int, side: int, stride: int) -> list[int]:
    free = length - side
    if free <= 0:
        return [0]
    count = -(-free // stride) + 1
    return sorted({int(place) // ALIGNMENT * ALIGNMENT for place in np.linspace(0, free, count)})


def _thinned(places: list[int]) -> list[int]:
    kept = np.linspace(0, len(places) - 1, len(places) - 1).round().astype(int)
    return [places[index] for index in sorted(set(kept.tolist()))]
