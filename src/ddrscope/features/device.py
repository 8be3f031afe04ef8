"""The device that a network runs on."""

from __future__ import annotations

import torch

from ddrscope.errors import InputError, printable


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
        raise InputError(f"`device`={name} is not available on this machine ({reason}): give auto or cpu") from None
    return name
