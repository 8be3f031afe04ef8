"""What a network, a scale, tiles and an image must fulfil to be upscaled, checked before or while it is done."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddrscope.errors import InputError, printable
from ddrscope.features import Precision
from ddrscope.layers import device_of
from ddrscope.networks import Network
from ddrscope.networks.architectures.guided import CELL
from ddrscope.upscaling.spans import Span

# Largest median of the output for a grey input of 0.5. A network for pixels in 0..255 exceeds it by far.
_MAX_GREY_RESPONSE = 4.0
_TRIAL_SIDE = 64


def check_scale(network: Network, scale: int | None) -> int:
    """The scale of the result: the network's own, or a divisor of it. Raises `InputError` for any other."""
    if not scale or scale == network.scale:
        return network.scale
    if scale > network.scale or network.scale % scale:
        divisors = ", ".join(str(number) for number in range(1, network.scale + 1) if network.scale % number == 0)
        raise InputError(
            f"`scale`={scale} is not possible with {network.name} (x{network.scale}): give one of {divisors}"
        )
    return scale


def check_tiles(tile: int, overlap: int) -> None:
    """Raise `InputError` unless tiles lie on the cells of a guide."""
    if tile < CELL or tile % CELL or overlap < 0 or overlap % CELL:
        raise InputError(f"`tile`={tile} and `overlap`={overlap} must be multiples of {CELL}, `tile` at least {CELL}")


def check_size(network: Network, height: int, width: int) -> None:
    """Raise `InputError` for an image that is smaller than the network takes."""
    if min(height, width) < network.minimum_size:
        raise InputError(
            f"{width} x {height} pixels are too few: {network.name} takes {network.minimum_size} a side or more"
        )


@torch.inference_mode()
def check_network(network: Network) -> None:
    """Raise `InputError` unless the network makes RGB images in 0..1 from RGB images, found by a trial run."""
    if network.channels != 3:
        raise InputError(f"{network.name} takes {network.channels} channels: a network for RGB is needed")
    side = _TRIAL_SIDE
    try:
        output = network(torch.full((1, 3, side, side), 0.5, device=device_of(network.module)))
    except InputError:
        raise
    # A user's own function raises exceptions of any type.
    except Exception as error:
        reason = printable(str(error))[:200] or type(error).__name__
        raise InputError(
            f"{network.name} fails on an image of {side} x {side} pixels ({reason}): fix it, or choose another network"
        ) from error
    if output.shape != (1, 3, side * network.scale, side * network.scale):
        raise InputError(
            f"{network.name} makes no images: its output for {side} x {side} pixels has the shape {tuple(output.shape)}; "
            "choose another network"
        )
    level = float(output.float().abs().median())
    if _MAX_GREY_RESPONSE < level < math.inf:
        raise InputError(
            f"{network.name} turns an even grey of 0.5 into values around {level:.4g}, but images are in 0..1: give a function "
            "(module:function) that wraps it and divides its output, for instance by 255"
        )


def check_finite(output: Tensor, network: Network, rows: Span, columns: Span, precision: Precision) -> None:
    """Raise `InputError` for an output with NaN or infinity, which as pixels would be black or white."""
    if output.isfinite().all():
        return
    broken = next((name for name, tensor in network.module.state_dict().items() if not tensor.isfinite().all()), None)
    if broken:
        remedy = f"its weights {printable(broken)[:80]!r} are not finite, get another checkpoint"
    else:
        remedy = "choose another network" if precision == "float32" else "give `precision`=float32"
    tile = f"the tile of rows {rows.start} to {rows.stop - 1} and columns {columns.start} to {columns.stop - 1}"
    raise InputError(f"{network.name} gives NaN or infinite values in {tile}: {remedy}")
