"""Where a tile of an image may begin so that a network's windows and coarser grids lie in it as they lie in the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

# Where implementations of attention in windows, and of U-shaped networks, keep the pixels of a window or of padding: numbers, or some
# of them for windows that are not square or differ.
_SIZES = ("window_size", "window_sizes", "win_size", "split_size", "stripe_size", "patch_sizes", "padder_size")
# A square of this many pixels is run.
_SIDE = 64
# The farthest that windows may lie apart to be of use to tiles.
_FARTHEST = 512


def tile_multiple(module: nn.Module, run: Callable[[Tensor], Any], channels: int) -> int:
    """The distance in pixels, along both axes, of places where a tile may begin; 1 for a network of plain convolutions.

    Each submodule counts with the window that it names, in pixels of its own grid; how coarse that grid is shows in a trial run.
    """
    multiples = {size for submodule in module.modules() for size in _named_sizes(submodule)}
    device = next(chain(module.parameters(), module.buffers()), torch.empty(0)).device
    for submodule, step in _grids(module, run, torch.full((1, channels, _SIDE, _SIDE), 0.5, device=device)):
        multiples |= {step * size for size in (*_named_sizes(submodule), 1)}
    together = 1
    for multiple in sorted(multiples):
        # One that leaves no room for tiles is passed over: the overlap has to do for it.
        if math.lcm(together, multiple) <= _FARTHEST:
            together = math.lcm(together, multiple)
    return together


def _named_sizes(module: nn.Module) -> Iterator[int]:
    for name in _SIZES:
        value = getattr(module, name, None)
        for size in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= _FARTHEST:
                yield size


@torch.inference_mode()
def _grids(module: nn.Module, run: Callable[[Tensor], Any], image: Tensor) -> list[tuple[nn.Module, int]]:
    """Each submodule that is called with a map of the image, and how many of its pixels make one of the map's."""
    found: list[tuple[nn.Module, int]] = []

    def see(submodule: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        for value in (*args, *kwargs.values()):
            side = _side(value) if isinstance(value, Tensor) else 0
            if side > 1:
                # Coarser grids are halved ones; the network may have padded the image before.
                found.append((submodule, 2 ** max(0, round(math.log2(_SIDE / side)))))

    handles = [one.register_forward_pre_hook(see, with_kwargs=True) for one in module.modules()]
    try:
        run(image)
    # A network that does not take the trial image is judged by what it names.
    except Exception:
        return []
    finally:
        for handle in handles:
            handle.remove()
    return found


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
