"""Checkpoints: written whole or not at all, read back only into the same recipe."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ddrscope.errors import InputError
from ddrscope.io.differences import difference
from ddrscope.io.files import atomic_write
from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from ddrscope.networks.checkpoints.weights import read_weights


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically: an error (a full disk) leaves the checkpoint before it as it was."""
    # Through memory: PyTorch's own writer does not say that the disk is full.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(
    path: Path, recipe: Mapping[str, Any], photographs: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read a checkpoint that was begun with ``recipe`` on ``photographs``, SHA-256 by name; raises `InputError` for any other file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["recipe"]
    except Exception:  # a foreign or corrupt file can fail in any way
        raise InputError(f"{path} is not a checkpoint of a training: move it away or give another --out") from None
    _check_recipe(path, before, recipe)
    if (
        photographs
        and "photographs" in state
        and (found := difference(state["photographs"], dict(photographs), "photographs"))
    ):
        raise InputError(f"{path} was begun with {found}: give the same photographs, or another --out")
    return state


def load_weights(path: Path, module: nn.Module, recipe: Mapping[str, Any]) -> dict[str, str]:
    """Load the weights that a stage of ``recipe`` wrote into ``module``; returns their metadata.

    The precision may differ: another machine may be faster in another. Raises `InputError` for another recipe's weights and for a
    file that is no stage's.
    """
    try:
        metadata = read_metadata(path)
        before = json.loads(metadata["recipe"])
        _check_recipe(path, before, {key: value for key, value in recipe.items() if key != "precision"})
        module.load_state_dict(read_weights(path).state)
    except InputError:
        raise
    except Exception:  # an untrusted or corrupt file can fail in any way
        raise InputError(f"{path} is not of this training: move it away or give another --out") from None
    return metadata


def load_start(module: nn.Module, path: str) -> None:
    """Load the weights file that a recipe's ``start`` names; raises `InputError` when it does not fit the network."""
    try:
        module.load_state_dict(read_weights(Path(path)).state)
    except RuntimeError:
        raise InputError(
            f"start = {path} holds weights of another network than this recipe's: give the architecture, channels and blocks it was "
            "trained with"
        ) from None


def _check_recipe(path: Path, before: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    # As JSON has them: a list where the recipe has a tuple.
    for key, value in json.loads(json.dumps(recipe)).items():
        if found := difference(json.loads(json.dumps(before.get(key))), value, key):
            raise InputError(f"{path} was begun with {found}: give the same recipe, or another --out")
