"""Writing networks as `.safetensors` files, and reading their metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from ddrscope.io.files import atomic_write

if TYPE_CHECKING:
    from torch import nn


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a `.safetensors` file, without reading its weights."""
    with safe_open(path, framework="numpy") as file:
        return file.metadata() or {}


def save_network(path: Path, module: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write a module's weights in float16 to a `.safetensors` file, atomically.

    Args:
        path: The file.
        module: The module.
        metadata: `load_network` reads ``architecture`` and ``global_residual`` (``true`` or ``false``).

    Raises:
        ValueError: A weight is not finite in float16.
    """
    # Importing PyTorch takes seconds, and reading metadata does not need it.
    from safetensors.torch import save_file

    state = {}
    for name, tensor in module.state_dict().items():
        saved = tensor.detach().cpu()
        if saved.is_floating_point():
            saved = saved.half()
            if not saved.isfinite().all():
                raise ValueError(f"the weights {name!r} are not finite in float16")
        state[name] = saved.contiguous().clone()
    with atomic_write(path) as temporary:
        save_file(state, temporary, metadata=dict(metadata))
