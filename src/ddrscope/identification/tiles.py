"""Tiles: how an image of any size is read through a window of one size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The grids of JPEG and of video codecs begin at the image's corner: tiles begin on them.
ALIGNED = 8
# Pixels a side.
TILE = 128
MAX_TILES = 16


def place_tiles(
    height: int, width: int, side: int, limit: int | None = None, stride: int | None = None
) -> list[tuple[int, int]]:
    """Corners (top, left) of tiles of ``side`` pixels that cover an image, row by row; one corner where it is no larger.

    Neighbours are ``stride`` apart (default: side) or nearer, so that the last tiles end at the border. At most ``limit`` of them, spread
    evenly over the image.
    """
    rows, columns = (_places(length, side, stride or side) for length in (height, width))
    if limit is not None:
        # As many rows as columns in proportion to the image, so that every part of it is seen.
        while len(rows) * len(columns) > limit:
            if len(rows) > len(columns):
                rows = _thinned(rows)
            else:
                columns = _thinned(columns)
    return [(top, left) for top in rows for left in columns]


def cut_tiles(pixels: NDArray[np.float32], corners: list[tuple[int, int]]) -> NDArray[np.float32]:
    """The tiles (N, TILE, TILE, C) of an image at these corners, smaller where the image is."""
    return np.stack([pixels[top : top + TILE, left : left + TILE] for top, left in corners])


def _places(length: int, side: int, stride: int) -> list[int]:
    room = length - side
    if room <= 0:
        return [0]
    count = -(-room // stride) + 1
    places = np.linspace(0, room, count)
    return sorted({int(place) // ALIGNED * ALIGNED for place in places})


def _thinned(places: list[int]) -> list[int]:
    keep = np.linspace(0, len(places) - 1, len(places) - 1).round().astype(int)
    return [places[index] for index in sorted(set(keep.tolist()))]
