"""Stored values of an image, and their way to numbers in 0..1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values.swapaxes(0, 1)[::-1],
}


@dataclass(frozen=True, eq=False)
class Samples:
    """Values (H, W, C) as a file stores them, alpha last where there is one.

    ``depth``: bits per sample of unsigned integers where the type has more, as 12 bits in uint16. ``inverted``: zero is white.
    """

    values: np.ndarray
    alpha: bool = False
    depth: int | None = None
    inverted: bool = False

    def turned(self, orientation: object) -> Samples:
        """The same, turned upright from an EXIF orientation; what is no orientation turns nothing."""
        turn = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
        return Samples(turn(self.values), self.alpha, self.depth, self.inverted) if turn else self


def to_unit_range(samples: Samples) -> tuple[np.ndarray, int]:
    """Contiguous float32 in 0..1, and the bits of the source: 8, 16, or 32 for floats and wider integers.

    Unsigned integers are divided by the highest number of their depth, floats stay as they are. Raises ValueError for signed
    integers, for floats outside 0..1, and for values beyond the depth.
    """
    values = samples.values
    kind: type[np.floating] = np.float32
    if values.dtype.kind == "b":
        white, bits = 1, 8
    elif values.dtype.kind == "u":
        depth = samples.depth or 8 * values.dtype.itemsize
        white = 2**depth - 1
        if int(values.max()) > white:
            raise ValueError(
                f"holds values up to {values.max()}, but {depth} bits per sample: it is corrupt, or was written wrongly"
            )
        # The levels of 1, 2 and 4 bits are levels of 8 bits too.
        bits = 8 if 255 % white == 0 else 16 if depth <= 16 else 32
        # Integers of 32 bits are not exact in float32.
        kind = np.float32 if depth <= 16 else np.float64
    elif values.dtype.kind == "f":
        _check_floats(values)
        white, bits = 1, 32
    else:
        raise ValueError(
            f"holds signed integers ({values.dtype}), which have no agreed white: save it as 8 or 16 bits unsigned, or as floats in 0..1"
        )
    pixels = np.array(values, dtype=kind, order="C")
    if samples.inverted:
        colors = pixels[..., :-1] if samples.alpha else pixels
        np.subtract(white, colors, out=colors)
    if white > 1:
        pixels /= white
    if bits == 32:
        np.clip(pixels, 0, 1, out=pixels)
    return pixels.astype(np.float32, copy=False), bits


def _check_floats(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite numbers (NaN or infinity)")
    low, high = float(values.min()), float(values.max())
    # What rounding adds, less than a step of 16 bits, is cut off later.
    if low < -1e-5 or high > 1 + 1e-5:
        raise ValueError(
            f"holds floats from {low:g} to {high:g}: divide them by the value of white, or clip them, so that all lie in 0..1"
        )
