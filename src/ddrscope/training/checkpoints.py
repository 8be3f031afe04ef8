"""Checkpoints: written whole or not at all, read back only into the same recipe."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ddrscope.errors import InputError
from ddrscope.store import atomic_write


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically: an error (a full disk) leaves the checkpoint before it as it was."""
    # Through memory: PyTorch's own writer does not say that the disk is full.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Read a checkpoint that was begun with ``recipe``; raises `InputError` for another recipe's or a file that is none."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["recipe"]
    except Exception:  # a foreign or damaged file can fail in any way
        raise InputError(f"{path} is not a checkpoint of a training: move it away or give another --out") from None
    for key in recipe:
        if before.get(key) != recipe[key]:
            raise InputError(
                f"{path} was begun with {key} = {before.get(key)}, not {recipe[key]}: give the same recipe or another --out"
            )
    return state
