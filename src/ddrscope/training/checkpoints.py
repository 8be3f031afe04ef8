"""Checkpoints: written whole or not at all, read back only into the same recipe."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ddrscope.differences import difference
from ddrscope.errors import InputError
from ddrscope.store import atomic_write


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically: an error (a full disk) leaves the checkpoint before it as it was."""
    # Through memory: PyTorch's own writer does not say that the disk is full.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path, recipe: Mapping[str, Any], photographs: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read a checkpoint that was begun with ``recipe`` on ``photographs``, SHA-256 by name; raises `InputError` for any other file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["recipe"]
    except Exception:  # a foreign or damaged file can fail in any way
        raise InputError(f"{path} is not a checkpoint of a training: move it away or give another --out") from None
    found = next(filter(None, (difference(before.get(key), value, key) for key, value in recipe.items())), None)
    if not found and photographs and "photographs" in state:
        found = difference(state["photographs"], dict(photographs), "photographs")
    if found:
        raise InputError(f"{path} was begun with {found}: give the same recipe and photographs, or another --out")
    return state
