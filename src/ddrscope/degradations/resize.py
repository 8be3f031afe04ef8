"""Resizing as MATLAB's `imresize`: separable, antialiased when shrinking, with mirrored borders."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ddrscope.errors import InputError

Interpolation = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]


def _box(x: np.ndarray) -> np.ndarray:
    # Half open: a point midway between two pixels belongs to only one of them.
    return ((x >= -0.5) & (x < 0.5)).astype(float)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29(6), 1981)."""
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0))


def _lanczos3(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


class _Kernel(NamedTuple):
    function: Callable[[np.ndarray], np.ndarray]
    width: int
    antialias: bool = True


_KERNELS: dict[Interpolation, _Kernel] = {
    "nearest": _Kernel(_box, 1, antialias=False),
    "box": _Kernel(_box, 1),
    "bilinear": _Kernel(_triangle, 2),
    "bicubic": _Kernel(_cubic, 4),
    "lanczos": _Kernel(_lanczos3, 6),
}


@lru_cache(maxsize=64)
def _weights(n_in: int, n_out: int, interpolation: Interpolation) -> csr_array:
    """The (n_out, n_in) matrix that resizes one axis; its rows sum to 1."""
    kernel = _KERNELS[interpolation]
    scale = n_out / n_in
    stretch = min(scale, 1.0) if kernel.antialias else 1.0
    width = kernel.width / stretch
    centers = (np.arange(n_out) + 0.5) / scale - 0.5
    first = np.floor(centers - width / 2).astype(int)
    positions = first[:, None] + np.arange(int(np.ceil(width)) + 2)
    weights = kernel.function((centers[:, None] - positions) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    folded = positions % (2 * n_in)
    columns = np.where(folded < n_in, folded, 2 * n_in - 1 - folded)
    rows = np.broadcast_to(np.arange(n_out)[:, None], positions.shape)
    used = weights != 0
    return csr_array((weights[used].astype(np.float32), (rows[used], columns[used])), shape=(n_out, n_in))


def resize(pixels: np.ndarray, size: tuple[int, int], interpolation: Interpolation = "bicubic") -> np.ndarray:
    """Resize an image as MATLAB's `imresize(pixels, size)`.

    Bicubic is Keys' kernel with a = -0.5. Every kernel but ``nearest`` is widened by the scale when shrinking. Borders
    are mirrored with the edge pixel repeated.

    Args:
        pixels: float32 (H, W, C).
        size: Height and width of the result.
        interpolation: ``nearest``, ``box``, ``bilinear``, ``bicubic`` or ``lanczos``.

    Returns:
        float32 (height, width, C), *not* clipped: bicubic and lanczos overshoot at edges.
    """
    height, width = size
    rows, columns, channels = pixels.shape
    if height < 1 or width < 1:
        raise ValueError(f"cannot resize to {height} x {width} pixels: both must be at least 1")
    pixels = np.asarray(pixels, dtype=np.float32)
    if height != rows:
        pixels = (_weights(rows, height, interpolation) @ pixels.reshape(rows, -1)).reshape(height, columns, channels)
    if width != columns:
        across = np.ascontiguousarray(pixels.transpose(1, 0, 2)).reshape(columns, -1)
        resized = _weights(columns, width, interpolation) @ across
        pixels = np.ascontiguousarray(resized.reshape(width, height, channels).transpose(1, 0, 2))
    return pixels


def shrink(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Shrink an image bicubically.

    Rows at the bottom and columns at the right beyond a multiple of ``scale`` are cut off first, so that pixel (i, j)
    of the result covers the ``scale`` x ``scale`` block at (i * scale, j * scale).

    Args:
        pixels: float32 (H, W, C) in 0..1.
        scale: Factor by which the image is shrunk.

    Returns:
        float32 (H // scale, W // scale, C), clipped to 0..1.

    Raises:
        InputError: The image is smaller than ``scale``.
    """
    height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
    if height < 1 or width < 1:
        raise InputError(
            f"an image of {pixels.shape[1]} x {pixels.shape[0]} pixels cannot be shrunk by {scale}: "
            f"it needs at least {scale} pixels on each side"
        )
    return np.clip(resize(pixels[: height * scale, : width * scale], (height, width)), 0, 1)
