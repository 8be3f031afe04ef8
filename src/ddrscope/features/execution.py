"""How to run a network fast on this machine: precision, memory format, batch size."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError, printable
from ddrscope.features.names import LayerName
from ddrscope.features.taps import Run, capture, device_of, run_tapped

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

# A layer's input and output, a skip connection or two, a concatenation, and what a kernel needs for itself.
_LIVE_TENSORS = 8
# bfloat16 costs digits: it must save a fifth of the time at least.
_WORTH_IT = 0.8


@functools.cache
def is_bfloat16_faster(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware and, on a CPU, runs a convolution in it in less time than in float32.

    Some processors name the instructions and are slower with them, so it is measured, once in a process.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # An older torch has no public way to ask; float32 is right everywhere.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not any(capabilities.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16")):
        return False
    return _seconds(torch.bfloat16) < _WORTH_IT * _seconds(torch.float32)


@torch.inference_mode()
def _seconds(kind: torch.dtype) -> float:
    """The shortest of a few runs of a convolution as SR networks have them."""
    # Zeros: nothing may be drawn here from the random numbers of a run.
    weights, pictures = (torch.zeros(size, dtype=kind).to(memory_format=torch.channels_last) for size in ((64, 64, 3, 3), (8, 64, 32, 32)))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        functional.conv2d(pictures, weights, padding=1)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def resolve_device(name: str) -> str:
    """The device that ``name`` means on this machine: ``auto`` is a CUDA GPU, else Apple's (``mps``), else the processor.

    Raises `InputError` for a device that this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = printable(str(error).splitlines()[0])
        raise InputError(f"--device {name} is not available on this machine ({reason}): give auto or cpu") from None
    return name


def check_precision(name: str) -> None:
    """Raise `InputError` unless ``name`` is one of `PRECISIONS`: any other word would quietly mean float32."""
    if name not in PRECISIONS:
        raise InputError(f"--precision {name} is unknown: choose {', '.join(PRECISIONS)}")


def settled(precision: Precision, device: torch.device) -> Literal["float32", "bfloat16"]:
    """What ``precision`` is on the device: ``auto`` is bfloat16 where `is_bfloat16_faster`."""
    if precision != "auto":
        return precision
    return "bfloat16" if is_bfloat16_faster(device) else "float32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context in which to run a network: bfloat16 autocast where asked, or where `auto` finds it faster."""
    return torch.autocast(device.type, torch.bfloat16, enabled=settled(precision, device) == "bfloat16")


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
    """The number of pictures like `sample` (1, C, H, W) to run at once, 1 to `largest`.

    Measured on one forward pass: a picture costs the flattened float32 features of `layers` and some eight tensors of
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

    run_tapped(module, sample, dict(module.named_modules()), see, run)
    limit = _memory_limit(device_of(module)) if memory_limit is None else memory_limit
    return max(1, min(largest, limit // max(1, captured + _LIVE_TENSORS * biggest)))


def _memory_limit(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    # Of the physical memory, not of the free: the batch size, and with it the last bits, stay the same from run to run.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
