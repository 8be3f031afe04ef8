"""Where tiles may begin, so that a network's windows and coarser grids lie in them as in the whole image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

# Attributes in which implementations of window attention and of U-shaped networks keep the side of a window or of
# padding: a number, or several for windows that are not square or differ.
_SIZES = ("window_size", "window_sizes", "win_size", "split_size", "stripe_size", "patch_sizes", "padder_size")
# Side of the image of the trial run.
_SIDE = 64
# A larger multiple leaves no room for tiles.
_MAX_MULTIPLE = 512


def tile_multiple(module: nn.Module, run: Callable[[Tensor], Any], channels: int) -> int:
    """The grid in input pixels, along both axes, on which tiles may begin; 1 for a network of plain convolutions.

    The window of each submodule counts in pixels of its own grid, whose coarseness a trial run shows.

    Args:
        module: The module.
        run: Runs it on a batch.
        channels: Its input channels.
    """
    multiples = {size for submodule in module.modules() for size in _named_sizes(submodule)}
    device = next(chain(module.parameters(), module.buffers()), torch.empty(0)).device
    for submodule, step in _grids(module, run, torch.full((1, channels, _SIDE, _SIDE), 0.5, device=device)):
        multiples |= {step * size for size in (*_named_sizes(submodule), 1)}
    common = 1
    for multiple in sorted(multiples):
        # A multiple that leaves no room for tiles is skipped: the overlap of tiles must be enough for it.
        if math.lcm(common, multiple) <= _MAX_MULTIPLE:
            common = math.lcm(common, multiple)
    return common


def _named_sizes(module: nn.Module) -> Iterator[int]:
    for name in _SIZES:
        value = getattr(module, name, None)
        for size in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= _MAX_MULTIPLE:
                yield size


@torch.inference_mode()
def _grids(module: nn.Module, run: Callable[[Tensor], Any], image: Tensor) -> list[tuple[nn.Module, int]]:
    """Each submodule that is called with a map of the image, and how many pixels of the image are one of the map."""
    grids: list[tuple[nn.Module, int]] = []

    def record(submodule: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        for value in (*args, *kwargs.values()):
            side = _side(value) if isinstance(value, Tensor) else 0
            if side > 1:
                # Coarser grids are halved; the network may have padded the image before.
                grids.append((submodule, 2 ** max(0, round(math.log2(_SIDE / side)))))

    handles = [submodule.register_forward_pre_hook(record, with_kwargs=True) for submodule in module.modules()]
    try:
        run(image)
    # Of a network that fails on the trial image, only the window sizes are known.
    except Exception:
        return []
    finally:
        for handle in handles:
            handle.remove()
    return grids


def _side(tensor: Tensor) -> int:
    """The side of a square map (1, C, h, h), (1, h, h, C), or of its tokens (1, h*h, C); 0 for anything else."""
    if tensor.ndim not in (3, 4) or tensor.shape[0] != 1:
        return 0
    if tensor.ndim == 3:
        side = math.isqrt(tensor.shape[1])
        return side if side * side == tensor.shape[1] else 0
    if tensor.shape[2] == tensor.shape[3]:
        return tensor.shape[2]
    return tensor.shape[1] if tensor.shape[1] == tensor.shape[2] else 0
