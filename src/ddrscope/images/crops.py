"""Deterministic crops, and how many of which image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddrscope.errors import InputError


def center_crop(pixels: np.ndarray, size: int, multiple_of: int = 1, name: str = "the image") -> np.ndarray:
    """The central `size` x `size` crop of an image (H, W, C), as a view.

    Its corner lies on a multiple of `multiple_of`, so the crop of an image shrunk by that factor shows the same
    place: `center_crop(shrunk, size // scale)` matches `center_crop(image, size, scale)` when shrinking drops the
    odd rows and columns at the end. Raises InputError when the image is smaller than the crop or `size` is no
    multiple.
    """
    _check_size(pixels, size, name)
    if size % multiple_of:
        nearest = f"{size // multiple_of * multiple_of or multiple_of} or {(size // multiple_of + 1) * multiple_of}"
        raise InputError(f"a crop of {size} pixels is not a multiple of the scale {multiple_of}: use {nearest}")
    top, left = ((side - size) // 2 // multiple_of * multiple_of for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def grid_crops(pixels: np.ndarray, size: int, limit: int | None = None, name: str = "the image") -> list[np.ndarray]:
    """Crops of `size` x `size` on a grid from the top left corner, row by row, without overlap, as views.

    At most `limit` of them, spread evenly over the grid. Raises InputError when the image is smaller than a crop.
    """
    _check_size(pixels, size, name)
    height, width = pixels.shape[:2]
    corners = [(top, left) for top in range(0, height - size + 1, size) for left in range(0, width - size + 1, size)]
    if limit is not None and limit < len(corners):
        # The middle of each of `limit` equal stretches of the grid.
        corners = [corners[(2 * i + 1) * len(corners) // (2 * limit)] for i in range(limit)]
    return [pixels[top : top + size, left : left + size] for top, left in corners]


def share_out(room: Sequence[int], count: int) -> list[int]:
    """``count`` crops (or rows) over images (or groups) with ``room`` for so many each: equal shares as far as possible.

    Those with little room are taken whole; all there are, if too few.
    """
    given, left = [0] * len(room), count
    # The smallest first: what they have no room for, the larger ones share.
    order = sorted(range(len(room)), key=lambda index: room[index])
    for rank, index in enumerate(order):
        given[index] = min(room[index], left // (len(room) - rank))
        left -= given[index]
    return given


def _check_size(pixels: np.ndarray, size: int, name: str) -> None:
    height, width = pixels.shape[:2]
    if size < 1:
        raise InputError(f"a crop of {size} pixels: a crop has at least 1 pixel a side")
    if height < size or width < size:
        raise InputError(
            f"{name} is {width} x {height} pixels, smaller than the crop of {size} x {size}: "
            f"choose a crop of at most {min(width, height)} or leave it out"
        )
