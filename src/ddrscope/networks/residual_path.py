"""What a network's output keeps of its input when its output convolution is silenced: the global residual, measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.layers import LayerName, Run, device_of

# Share of the variance of an enlarged input below which the silenced output does not depend on the input: rounding.
NO_RESIDUAL = 1e-4
# Share of the silenced output's variance that an interpolation must explain to be the residual.
EXPLAINED = 0.98
# How far the silenced output may be from linear in the input, relative to its own size.
LINEAR = 0.02
_SIDE, _COUNT = 24, 2

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
def measure_residual_path(
    module: nn.Module, layer: str, channels: int, scale: int, run: Run | None = None
) -> ResidualPath:
    """Silence the output convolution of a network and see which enlargement of the input its output follows.

    Args:
        module: The network.
        layer: The last HR layer, the input of the submodule that is silenced: its output becomes zero.
        channels: Channels of the input, and of the output.
        scale: Output side over input side.
        run: How to call the network, see `ddrscope.layers.Run`.

    Returns:
        The measurement, on two random patterns of 24 pixels a side.
    """
    device = device_of(module)
    inputs = _patterns(channels, _SIDE).to(device)
    outputs = _silenced(module, layer, torch.cat([inputs, inputs / 2]), run)
    whole, half = outputs.chunk(2)
    if whole.ndim != 4 or whole.shape[1] != channels or whole.shape[-1] != scale * _SIDE:
        return ResidualPath(None, True, 0.0, float("nan"))
    # Differences between images are free of constants, such as a mean that is added at the end.
    given, kept = inputs - inputs.roll(1, 0), _inner(whole - whole.roll(1, 0), scale)
    enlarged = [(name, _inner(enlarge(given, scale), scale)) for name, enlarge in _interpolations(scale)]
    variance = float(kept.pow(2).mean() / enlarged[0][1].pow(2).mean())
    if variance < NO_RESIDUAL:
        return ResidualPath(None, True, 0.0, float("nan"))
    name, explained = max(((name, _explained(kept, by)) for name, by in enlarged), key=lambda pair: pair[1])
    if explained >= EXPLAINED:
        return ResidualPath(name, True, variance, explained)
    linear = _inner(half - half.roll(1, 0), scale) - kept / 2
    if float(linear.pow(2).mean().sqrt()) <= LINEAR * float((kept / 2).pow(2).mean().sqrt()):
        return ResidualPath(LEARNED, True, variance, explained)
    return ResidualPath(None, False, variance, explained)


def _interpolations(scale: int) -> tuple[tuple[str, _Enlarge], ...]:
    return ((IDENTITY, lambda batch, _: batch),) if scale == 1 else _INTERPOLATIONS


def _silenced(module: nn.Module, layer: str, batch: Tensor, run: Run | None) -> Tensor:
    """The output for a batch while the submodule of ``layer`` returns zeros."""
    silenced = module.get_submodule(LayerName.parse(layer).module)
    handle = silenced.register_forward_hook(lambda _module, _args, output: torch.zeros_like(output))
    try:
        output: Tensor = (run or module)(batch)
        return output.float()
    finally:
        handle.remove()


def _inner(batch: Tensor, scale: int) -> Tensor:
    """Without the borders, where frameworks pad differently."""
    margin = 4 * scale
    return batch[..., margin:-margin, margin:-margin]


def _explained(values: Tensor, by: Tensor) -> float:
    """The share of the variance of ``values`` that a multiple of ``by`` explains (R squared)."""
    return float((values * by).sum().pow(2) / (values.pow(2).sum() * by.pow(2).sum()).clamp_min(1e-20))


def _patterns(channels: int, side: int) -> Tensor:
    """Noise of medium scale with noise of pixels, (2, channels, side, side) in 0.2..0.8, always the same.

    Fine enough that interpolations differ, and away from 0 and 1, where outputs are clipped.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(_COUNT, channels, 6, 6, generator=generator)
    fine = torch.rand(_COUNT, channels, side, side, generator=generator)
    smooth = functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    return (0.2 + 0.6 * (0.6 * smooth + 0.4 * fine)).clamp(0.2, 0.8)
