"""Conversion of a layer's tensor to rows of features: the axis of the channels, and the two views."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError

_CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.Upsample,
)
# Exact types only: subclasses of LayerNorm for (B, C, H, W) are common.
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.MultiheadAttention)

# 4 MiB in float32.
_VALUES_POOLED_AT_ONCE = 1 << 20


def find_channels_dim(shape: Sequence[int], size: Sequence[int], module: nn.Module | None = None) -> int:
    """The axis of a layer's tensor that holds the channels.

    1. A layer whose class determines it: convolutions, batch, group and instance norm, pixel shuffle, upsampling: axis
       1. Linear, LayerNorm, attention: the last axis.
    2. (B, C): axis 1. (B, N, C): the last axis, unless only the last has length H*W.
    3. Four axes and more: the image's two axes are the last two or the two before the last axis, whichever ratio is
       nearer to H : W. The channels are then axis 1, or the last axis. A tie is axis 1.

    Args:
        shape: Shape of the tensor, batch included.
        size: Height and width of the network's input.
        module: The layer's submodule.
    """
    last = len(shape) - 1
    if last < 2 or isinstance(module, _CHANNELS_FIRST):
        return 1
    if type(module) in _CHANNELS_LAST:
        return last
    if last == 2:
        positions = math.prod(size)
        return 1 if shape[2] == positions != shape[1] else last

    def misfit(height: int, width: int) -> float:
        return abs(math.log((height / width) / (size[0] / size[1])))

    return last if misfit(*shape[-3:-1]) < misfit(*shape[-2:]) else 1


def to_channels_first(tensor: Tensor, batch: Tensor, *, module: nn.Module | None = None) -> Tensor:
    """View a layer's tensor as (B, C, P), where P is the number of positions.

    Args:
        tensor: The layer's tensor.
        batch: The network's input (B, C, H, W).
        module: The layer's submodule, see `find_channels_dim`.

    Raises:
        InputError: The first axis is not the batch, as with attention windows.
    """
    if tensor.ndim == 0 or tensor.shape[0] != batch.shape[0]:
        raise InputError(
            f"its shape {tuple(tensor.shape)} does not begin with the batch of {batch.shape[0]}, so its rows are not "
            "images; choose a layer around it"
        )
    if tensor.ndim == 1:
        tensor = tensor[:, None]
    tensor = tensor.movedim(find_channels_dim(tensor.shape, batch.shape[-2:], module), 1)
    return tensor.flatten(2) if tensor.ndim > 2 else tensor[:, :, None]


def flatten_features(features: Tensor) -> Tensor:
    """The flattened view: a float32 copy (B, C*P) of (B, C, P) in main memory."""
    return torch.empty(features.shape).copy_(features).flatten(1)


def pool_features(features: Tensor) -> Tensor:
    """The pooled view of (B, C, P): (B, 2C), the mean of each channel over positions, then the population std."""
    rows = []
    # A few images at a time, so that the second, centred pass finds them in the cache and small ones share the cost of
    # a call: three to ten times faster than `torch.var_mean` on the batch, and as accurate.
    for images in features.split(max(1, _VALUES_POOLED_AT_ONCE // max(1, features[0].numel()))):
        images = images.to(torch.float32, copy=True)
        mean = images.mean(dim=2, keepdim=True)
        variance = images.sub_(mean).square_().mean(dim=2)
        rows.append(torch.cat([mean[..., 0], variance.sqrt_()], dim=1))
    return torch.cat(rows).cpu()


VIEWS = {"flattened": flatten_features, "pooled": pool_features}
