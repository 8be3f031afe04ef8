"""The precision in which a network runs: float32 or bfloat16."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.io.manifest import MANIFEST, read_settings

Precision = Literal["auto", "float32", "bfloat16"]
ResolvedPrecision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

# bfloat16 loses digits, so it must take at most this share of the time of float32.
_MAX_TIME_RATIO = 0.8


@functools.cache
def is_bfloat16_faster(device: torch.device) -> bool:
    """Whether the device supports bfloat16 in hardware and, on a CPU, runs a convolution faster in it.

    Measured once in a process, since some CPUs report the instructions and are slower with them.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # Older versions of PyTorch have no public function for this. float32 works everywhere.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not any(capabilities.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16")):
        return False
    return _seconds(torch.bfloat16) < _MAX_TIME_RATIO * _seconds(torch.float32)


@torch.inference_mode()
def _seconds(dtype: torch.dtype) -> float:
    """The shortest time of several runs of a convolution that is typical of SR networks."""
    # Zeros, so that the state of the random number generator does not change.
    weights, images = (
        torch.zeros(size, dtype=dtype).to(memory_format=torch.channels_last)
        for size in ((64, 64, 3, 3), (8, 64, 32, 32))
    )
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        functional.conv2d(images, weights, padding=1)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def check_precision(name: str) -> None:
    """Raise `InputError` unless ``name`` is one of `PRECISIONS`."""
    if name not in PRECISIONS:
        raise InputError(f"`precision`={name} is unknown: choose {', '.join(PRECISIONS)}")


def resolve_precision(precision: str, device: torch.device, earlier_run: Path | None = None) -> ResolvedPrecision:
    """The precision of a whole run.

    Args:
        precision: One of `PRECISIONS`. ``auto`` is the precision of the earlier run, else bfloat16 if it is faster on
            the device: measured again, a busy or another machine could decide otherwise in the middle of a run.
        device: The device that the network runs on.
        earlier_run: Directory or manifest of the run to continue, if there is one.

    Raises:
        InputError: The name is unknown.
    """
    check_precision(precision)
    if precision == "auto" and earlier_run:
        manifest = earlier_run / MANIFEST if earlier_run.is_dir() else earlier_run
        precision = (read_settings(manifest) or {}).get("precision", "auto")
    if precision not in ("float32", "bfloat16"):
        precision = "bfloat16" if is_bfloat16_faster(device) else "float32"
    return "bfloat16" if precision == "bfloat16" else "float32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context in which to run a network: bfloat16 autocast if ``precision`` resolves to bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=resolve_precision(precision, device) == "bfloat16")
