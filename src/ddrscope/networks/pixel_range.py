"""The range of pixels that a module works in, measured: 0..1, 0..255 or -1..1."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.layers import Run, device_of
from ddrscope.networks.outputs import image_of

RANGES: dict[str, tuple[float, float]] = {"0..1": (0.0, 1.0), "0..255": (0.0, 255.0), "-1..1": (-1.0, 1.0)}
# Mean absolute error, for pixels in 0..1, above which an output is not the enlarged input: a wrong range misses by 0.2
# and more, a trained network by 0.02.
_MAX_ERROR = 0.1
# How many times larger the error of 0..1 must be than that of another range.
_DECISIVE = 2.0
# Large enough for the windows of every architecture.
_SIDE = 64


class PixelRanges(NamedTuple):
    """The ranges of a module's input and output, keys of `RANGES`."""

    input: str = "0..1"
    output: str = "0..1"


class RangeRun:
    """Calls a module that works in other ranges on batches in 0..1; see `ddrscope.layers.Run`.

    Args:
        module: The module.
        ranges: Its ranges.
    """

    def __init__(self, module: nn.Module, ranges: PixelRanges) -> None:
        self.module = module
        self.ranges = ranges

    def __call__(self, batch: Tensor) -> Tensor:
        low, high = RANGES[self.ranges.input]
        output = image_of(self.module(low + batch * (high - low)), batch, None, type(self.module).__name__)
        low, high = RANGES[self.ranges.output]
        return (output - low) / (high - low)


def run_in_ranges(module: nn.Module, ranges: PixelRanges) -> Run | None:
    """How to call a module on batches in 0..1; None if that is its own range."""
    return None if ranges == PixelRanges() else RangeRun(module, ranges)


def check_pixel_range(text: str) -> str:
    """A key of `RANGES`, or ``auto``. Raises `InputError` for anything else."""
    if text not in (*RANGES, "auto"):
        raise InputError(f"`pixel_range`={text} is unknown: choose auto, {', '.join(RANGES)}")
    return text


@torch.inference_mode()
def measure_pixel_ranges(module: nn.Module, channels: int, scale: int) -> PixelRanges:
    """The ranges in which a module enlarges smooth patterns as an interpolation does.

    Args:
        module: A trained network.
        channels: Channels of its input and output.
        scale: Output side over input side.

    Returns:
        0..1 unless the error in another range is less than half of that, and small.
    """
    pattern = _pattern(channels).to(device_of(module))
    wanted = functional.interpolate(pattern, scale_factor=scale, mode="bicubic", align_corners=False)
    errors: dict[PixelRanges, float] = {}
    for given, (low, high) in RANGES.items():
        output = image_of(module(low + pattern * (high - low)), pattern, scale, type(module).__name__)
        if output.shape != wanted.shape:
            return PixelRanges()
        for returned, (bottom, top) in RANGES.items():
            errors[PixelRanges(given, returned)] = float(((output - bottom) / (top - bottom) - wanted).abs().mean())
    # The same range on both sides first, where errors are equal.
    order = sorted(errors, key=lambda ranges: (errors[ranges], ranges.input != ranges.output))
    best = order[0]
    decided = errors[best] < _MAX_ERROR and _DECISIVE * errors[best] < errors[PixelRanges()]
    return best if decided else PixelRanges()


def _pattern(channels: int) -> Tensor:
    """Smooth noise, (1, channels, 64, 64) in 0.1..0.9, always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, channels, 9, 9, generator=generator)
    smooth = functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic", align_corners=False)
    return smooth.clamp(0.1, 0.9)
