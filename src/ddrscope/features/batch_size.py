"""Memory format and batch size of a forward pass."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddrscope.layers.hooks import Run, capture, device_of, run_with_hooks
from ddrscope.layers.names import LayerName

# Tensors of the largest size that are alive at once: a layer's input and output, one or two skip connections, a
# concatenation, and the workspace of a kernel.
_LIVE_TENSORS = 8


def fastest_memory_format(
    module: nn.Module, sample: Tensor, layers: Sequence[str], run: Run | None = None
) -> torch.memory_format:
    """`torch.channels_last`, in which convolutions are fastest, unless the module fails on ``sample`` in it."""
    try:
        capture(module, sample.contiguous(memory_format=torch.channels_last), layers, lambda *_: None, run=run)
    except RuntimeError:  # Some networks call `view`, which needs a contiguous tensor.
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
    """Choose how many images to run at once.

    Memory is estimated from one forward pass: an image takes the flattened float32 features of ``layers`` and eight
    tensors of the largest size that appears.

    Args:
        module: The network.
        sample: One image (1, C, H, W).
        layers: Names of the layers whose features are collected.
        run: How to call the network, see `Run`.
        memory_limit: Bytes. None: a quarter of the machine's memory, or half of a GPU's free memory.
        largest: Upper bound of the result.

    Returns:
        A number between 1 and ``largest``; 1 for a network that fails on two images.
    """
    collected_layers = {LayerName.parse(layer) for layer in layers}
    largest_bytes = collected_bytes = 0

    def observe(layer: LayerName, tensor: Tensor | None) -> None:
        nonlocal largest_bytes, collected_bytes
        if tensor is not None:
            largest_bytes = max(largest_bytes, tensor.nbytes)
            collected_bytes += 4 * tensor.numel() * (layer in collected_layers)

    run_with_hooks(module, sample, dict(module.named_modules()), observe, run)
    limit = _memory_limit(device_of(module)) if memory_limit is None else memory_limit
    size = max(1, min(largest, limit // max(1, collected_bytes + _LIVE_TENSORS * largest_bytes)))
    return size if size == 1 or _takes_batches(module, sample, run) else 1


def _takes_batches(module: nn.Module, sample: Tensor, run: Run | None) -> bool:
    """Whether a network takes two images at once; some are written for one."""
    try:
        run_with_hooks(module, torch.cat([sample, sample]), (), lambda *_: None, run)
    # The code of the network can raise anything.
    except Exception:
        return False
    return True


def _memory_limit(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    # Physical rather than free memory: the batch size, and with it rounding, stays the same from run to run.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
