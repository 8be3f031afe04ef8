"""Parts of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError

_Pixel = TypeVar("_Pixel", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A rectangle in an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: NDArray[_Pixel]) -> NDArray[_Pixel]:
        """The part (height, width, C) of an image (H, W, C)."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]

    def scaled(self, scale: int) -> Window:
        """The same part of an image enlarged by ``scale``."""
        return Window(self.top * scale, self.left * scale, self.height * scale, self.width * scale)


def center_crop(pixels: np.ndarray, size: int, name: str = "the image") -> np.ndarray:
    """The central square of an image.

    Args:
        pixels: Image (H, W, C).
        size: Side of the crop in pixels.
        name: What the image is called in error messages.

    Returns:
        A view (``size``, ``size``, C).

    Raises:
        InputError: The image is smaller than the crop.
    """
    _check_size(pixels, size, name)
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def grid_crops(pixels: np.ndarray, size: int, limit: int | None = None, name: str = "the image") -> list[np.ndarray]:
    """Square crops on a grid that begins in the top left corner, row by row, without overlap.

    Args:
        pixels: Image (H, W, C).
        size: Side of each crop in pixels.
        limit: The largest number of crops, spread evenly over the grid. None: all of them.
        name: What the image is called in error messages.

    Returns:
        Views (``size``, ``size``, C).

    Raises:
        InputError: The image is smaller than a crop.
    """
    _check_size(pixels, size, name)
    height, width = pixels.shape[:2]
    corners = [(top, left) for top in range(0, height - size + 1, size) for left in range(0, width - size + 1, size)]
    if limit is not None and limit < len(corners):
        # The middle of each of `limit` equal sections of the grid.
        corners = [corners[(2 * i + 1) * len(corners) // (2 * limit)] for i in range(limit)]
    return [pixels[top : top + size, left : left + size] for top, left in corners]


def distribute(capacities: Sequence[int], total: int) -> list[int]:
    """Distribute ``total`` items over containers as evenly as their capacities allow.

    Args:
        capacities: How many items each container takes at most.
        total: How many items there are. If the containers take fewer, all are filled.

    Returns:
        The number of items in each container.

    Examples:
        >>> distribute([1, 10, 10], 9)
        [1, 4, 4]
    """
    shares, remaining = [0] * len(capacities), total
    # Smallest first: the larger containers share what the smaller ones cannot take.
    order = sorted(range(len(capacities)), key=lambda index: capacities[index])
    for rank, index in enumerate(order):
        shares[index] = min(capacities[index], remaining // (len(capacities) - rank))
        remaining -= shares[index]
    return shares


def _check_size(pixels: np.ndarray, size: int, name: str) -> None:
    height, width = pixels.shape[:2]
    if size < 1:
        raise InputError(f"a crop of {size} pixels is too small: it needs at least 1")
    if height < size or width < size:
        raise InputError(
            f"{name} is {width} x {height} pixels, smaller than the crop of {size} x {size}: "
            f"choose a crop of at most {min(width, height)}, or leave the image out"
        )
