"""Finding the most detailed part of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddrscope.images.crops import Window

# About this many pixels of a large image are compared.
_SEARCHED_PIXELS = 1_000_000


def most_detailed_window(pixels: NDArray[np.float32], side: int) -> Window:
    """The square of ``side`` pixels in which neighbouring pixels differ most.

    Args:
        pixels: Image (H, W, C).
        side: Side of the square in pixels; it is cut where the image is smaller.
    """
    # Every few pixels of a large image are enough.
    step = max(round((pixels.shape[0] * pixels.shape[1] / _SEARCHED_PIXELS) ** 0.5), 1)
    grey = pixels[::step, ::step].mean(axis=2)
    height, width = (max(min(side // step, length), 1) for length in grey.shape)
    change = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    sums = np.pad(change, ((1, 0), (1, 0))).cumsum(0, dtype=np.float64).cumsum(1)
    windows = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(windows.argmax(), windows.shape)
    height, width = min(side, pixels.shape[0]), min(side, pixels.shape[1])
    top, left = min(int(top) * step, pixels.shape[0] - height), min(int(left) * step, pixels.shape[1] - width)
    return Window(top, left, height, width)
