"""What a network's output keeps of its input when its output convolution is silenced: the global residual, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.layers import Run, device_of, find_output_convolution
from ddrscope.layers.hooks import first_tensor
from ddrscope.networks.corner_resize import enlarge_from_corner

# Share of the variance of an enlarged input below which the silenced output does not depend on the input: rounding.
NO_RESIDUAL = 1e-4
# Share of the silenced output's variance that an interpolation must explain to be the residual.
EXPLAINED = 0.98
# How far the silenced output may be from linear in the input, relative to its own size.
LINEAR = 0.02
_SIDE = 64

NEAREST, BILINEAR, BICUBIC, IDENTITY, LEARNED = "nearest", "bilinear", "bicubic", "identity", "learned"

_Enlarge = Callable[[Tensor, int], Tensor]


def _interpolate(mode: str, align_corners: bool | None = None) -> _Enlarge:
    return lambda batch, scale: functional.interpolate(
        batch, scale_factor=scale, mode=mode, align_corners=align_corners
    )


# Several forms of one interpolation: frameworks differ in what they do at corners.
_INTERPOLATIONS: tuple[tuple[str, _Enlarge], ...] = (
    (NEAREST, _interpolate("nearest")),
    (BILINEAR, _interpolate("bilinear", False)),
    (BILINEAR, _interpolate("bilinear", True)),
    (BICUBIC, _interpolate("bicubic", False)),
    (BICUBIC, _interpolate("bicubic", True)),
    (BICUBIC, enlarge_from_corner),
)


class ResidualPath(NamedTuple):
    """The path from the input to the output that avoids the output convolution.

    Attributes:
        interpolation: ``nearest``, ``bilinear``, ``bicubic``, ``identity`` (scale 1), or ``learned`` (linear in the
            input, but none of these); None if there is no such path, as where the output is no image of the input's
            channels, or none that is linear.
        decided: Whether the measurement decides. Without it, features reach the output by another way too.
        variance: Variance of the silenced output over that of the enlarged input; 0 without a path.
        explained: Share of that variance which the best interpolation explains, 0..1; NaN without a path.
    """

    interpolation: str | None
    decided: bool
    variance: float
    explained: float


@torch.inference_mode()
def measure_residual_path(module: nn.Module, channels: int, scale: int, run: Run | None = None) -> ResidualPath:
    """Silence the output convolution of a network and see which enlargement of the input its output follows.

    Every convolution from features to the channels of an image, or of an image before a pixel shuffle, returns zeros:
    some networks add several of them, see `ddrscope.layers.find_output_convolution`.

    Args:
        module: The network.
        channels: Channels of the input, and of the output.
        scale: Output side over input side.
        run: How to call the network, see `ddrscope.layers.Run`.

    Returns:
        The measurement, on two random patterns of 64 pixels a side.
    """
    inputs = _patterns(channels).to(device_of(module))
    output = find_output_convolution(module, inputs[:1], run)
    if output is None or output.enlargement is None:
        return ResidualPath(None, True, 0.0, float("nan"))
    # Differences between images are free of constants, such as a mean that is added at the end.
    given, kept = inputs[:1] - inputs[1:], _difference(module, output.submodules, inputs, run)
    enlarged = [(name, enlarge(given, scale)) for name, enlarge in _interpolations(scale)]
    if kept.shape != enlarged[0][1].shape:
        return ResidualPath(None, True, 0.0, float("nan"))
    enlarged, kept = [(name, _inner(by, scale)) for name, by in enlarged], _inner(kept, scale)
    variance = float(kept.pow(2).mean() / enlarged[0][1].pow(2).mean())
    if variance < NO_RESIDUAL:
        return ResidualPath(None, True, 0.0, float("nan"))
    name, explained = max(((name, _explained(kept, by)) for name, by in enlarged), key=lambda pair: pair[1])
    if explained >= EXPLAINED:
        return ResidualPath(name, True, variance, explained)
    halved = _inner(_difference(module, output.submodules, inputs / 2, run), scale)
    is_linear = float((halved - kept / 2).pow(2).mean().sqrt()) <= LINEAR * float((kept / 2).pow(2).mean().sqrt())
    return ResidualPath(LEARNED if is_linear else None, is_linear, variance, explained)


def _difference(module: nn.Module, submodules: Sequence[str], images: Tensor, run: Run | None) -> Tensor:
    """The output for the first image minus that for the second, while some submodules return zeros."""
    handles = [
        module.get_submodule(name).register_forward_hook(lambda _module, _args, output: torch.zeros_like(output))
        for name in submodules
    ]
    try:
        # One by one: some networks take no batches.
        first, second = (first_tensor((run or module)(image[None])) for image in images)
    finally:
        for handle in handles:
            handle.remove()
    assert first is not None and second is not None
    return (first - second).float()


def _interpolations(scale: int) -> tuple[tuple[str, _Enlarge], ...]:
    return ((IDENTITY, lambda batch, _: batch),) if scale == 1 else _INTERPOLATIONS


def _inner(batch: Tensor, scale: int) -> Tensor:
    """Without the borders, where frameworks pad differently."""
    margin = 4 * scale
    return batch[..., margin:-margin, margin:-margin]


def _explained(values: Tensor, by: Tensor) -> float:
    """The share of the variance of ``values`` that a multiple of ``by`` explains (R squared)."""
    return float((values * by).sum().pow(2) / (values.pow(2).sum() * by.pow(2).sum()).clamp_min(1e-20))


def _patterns(channels: int) -> Tensor:
    """Noise of medium scale with noise of pixels, (2, channels, 64, 64) in 0.2..0.8, always the same.

    Fine enough that interpolations differ, and away from 0 and 1, where outputs are clipped. Large enough for the
    windows of every architecture.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, channels, 16, 16, generator=generator)
    fine = torch.rand(2, channels, _SIDE, _SIDE, generator=generator)
    smooth = functional.interpolate(coarse, size=(_SIDE, _SIDE), mode="bicubic", align_corners=False)
    return (0.2 + 0.6 * (0.6 * smooth + 0.4 * fine)).clamp(0.2, 0.8)
