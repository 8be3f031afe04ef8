"""Memory format and batch size of a forward pass."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddrscope.features.hooks import Run, capture, device_of, run_hooked
from ddrscope.features.names import LayerName

# A layer's input and output, a skip connection or two, a concatenation, and what a kernel needs for itself.
_LIVE_TENSORS = 8


def fastest_memory_format(
    module: nn.Module, sample: Tensor, layers: Sequence[str], run: Run | None = None
) -> torch.memory_format:
    """`torch.channels_last`, in which convolutions are fastest, unless the module cannot take `sample` in it."""
    try:
        capture(module, sample.contiguous(memory_format=torch.channels_last), layers, lambda *_: None, run=run)
    except RuntimeError:  # some networks call `view` where only a contiguous tensor has one
        return torch.contiguous_format
    return torch.channels_last


def choose_batch(
    module: nn.Module,
    sample: Tensor,
    layers: Sequence[str],
    *,
    run: Run | None = None,
    memory_limit: int | None = None,
    largest: int = 16,
) -> int:
    """The number of images like `sample` (1, C, H, W) to run at once, 1 to `largest`.

    Measured on one forward pass: an image costs the flattened float32 features of `layers` and some eight tensors of
    the largest size that appears. `memory_limit` is in bytes; by default a quarter of the machine's main memory, half
    of a GPU's free memory.
    """
    wanted = {LayerName.parse(layer) for layer in layers}
    biggest = captured = 0

    def see(layer: LayerName, tensor: Tensor | None) -> None:
        nonlocal biggest, captured
        if tensor is not None:
            biggest = max(biggest, tensor.nbytes)
            captured += 4 * tensor.numel() * (layer in wanted)

    run_hooked(module, sample, dict(module.named_modules()), see, run)
    limit = _memory_limit(device_of(module)) if memory_limit is None else memory_limit
    return max(1, min(largest, limit // max(1, captured + _LIVE_TENSORS * biggest)))


def _memory_limit(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    # Of the physical memory, not of the free: the batch size, and with it the last bits, stay the same from run to run.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
