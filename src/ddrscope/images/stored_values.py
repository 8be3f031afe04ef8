"""The values that an image file stores, and their conversion to 0..1."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# What turns an image of each EXIF orientation upright.
_TRANSFORMS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values.swapaxes(0, 1)[::-1],
}
# Floats this far outside 0..1 are rounding errors: less than a step of 16 bits.
_FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class StoredValues:
    """The values of an image as its file stores them.

    Attributes:
        values: (H, W, C) of any real dtype; the alpha channel, if there is one, is the last.
        alpha: Whether there is an alpha channel.
        depth: Bits per sample of unsigned integers if fewer than those of the dtype, as 12 bits in uint16.
        inverted: Whether zero is white.
    """

    values: np.ndarray
    alpha: bool = False
    depth: int | None = None
    inverted: bool = False

    def upright(self, orientation: object) -> StoredValues:
        """The values turned upright from an EXIF orientation; an invalid orientation changes nothing."""
        transform = _TRANSFORMS.get(orientation) if isinstance(orientation, int) else None
        return dataclasses.replace(self, values=transform(self.values)) if transform else self


def to_unit_range(stored: StoredValues) -> tuple[np.ndarray, int]:
    """Convert stored values to 0..1.

    Unsigned integers are divided by the highest number of their depth; floats stay as they are.

    Returns:
        Contiguous float32 (H, W, C) in 0..1, and the bits of the source: 8, 16, or 32 for floats and wider integers.

    Raises:
        ValueError: For signed integers, floats outside 0..1, and values beyond the depth.
    """
    values = stored.values
    dtype: type[np.floating] = np.float32
    if values.dtype.kind == "b":
        white, bits = 1, 8
    elif values.dtype.kind == "u":
        depth = stored.depth or 8 * values.dtype.itemsize
        white = 2**depth - 1
        if int(values.max()) > white:
            raise ValueError(
                f"holds values up to {values.max()}, but {depth} bits per sample: it is corrupt, or was written wrongly"
            )
        # The levels of 1, 2 and 4 bits are levels of 8 bits too.
        bits = 8 if 255 % white == 0 else 16 if depth <= 16 else 32
        # Integers of 32 bits are not exact in float32.
        dtype = np.float32 if depth <= 16 else np.float64
    elif values.dtype.kind == "f":
        _check_floats(values)
        white, bits = 1, 32
    else:
        raise ValueError(
            f"holds signed integers ({values.dtype}), which have no agreed white: "
            "save it as 8 or 16 bits unsigned, or as floats in 0..1"
        )
    if white > 1 and not stored.inverted:
        # One pass over a large image instead of two.
        pixels = np.divide(values, dtype(white), dtype=dtype, order="C")
    else:
        pixels = np.array(values, dtype=dtype, order="C")
    if stored.inverted:
        colors = pixels[..., :-1] if stored.alpha else pixels
        np.subtract(white, colors, out=colors)
        pixels /= white
    if bits == 32:
        np.clip(pixels, 0, 1, out=pixels)
    return pixels.astype(np.float32, copy=False), bits


def _check_floats(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite numbers (NaN or infinity)")
    low, high = float(values.min()), float(values.max())
    if low < -_FLOAT_TOLERANCE or high > 1 + _FLOAT_TOLERANCE:
        raise ValueError(
            f"holds floats from {low:g} to {high:g}: divide them by the value of white, or clip them, "
            "so that all lie in 0..1"
        )
