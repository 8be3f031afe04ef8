"""Checkpoints of a training, written atomically and resumed only with the same recipe."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ddrscope.errors import InputError, RunConflictError
from ddrscope.io.differences import difference
from ddrscope.io.files import atomic_write
from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from ddrscope.networks.checkpoints.weights import read_weights


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically. An error, as a full disk, leaves the previous checkpoint unchanged."""
    # Through memory: PyTorch's own writer does not report a full disk.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_checkpoint(
    path: Path, recipe: Mapping[str, Any], photographs: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        path: The checkpoint.
        recipe: The recipe that it must have been written with; keys that are missing here are not compared.
        photographs: SHA-256 by name of the photographs that it must have been trained on.

    Raises:
        InputError: The file is not a checkpoint, or is one of another recipe or other photographs.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = state["recipe"]
    except Exception:  # a foreign or corrupt file can fail in any way
        raise InputError(f"{path} is not a checkpoint of a training: move it away, or give another `out`") from None
    _check_recipe(path, before, recipe)
    if (
        photographs
        and "photographs" in state
        and (found := difference(state["photographs"], dict(photographs), "photographs"))
    ):
        raise RunConflictError(f"{path} was begun with {found}: give the same photographs, or another `out`")
    return state


def load_weights(path: Path, module: nn.Module, recipe: Mapping[str, Any]) -> dict[str, str]:
    """Load the weights that a stage of a training wrote.

    Args:
        path: File of weights.
        module: The network that receives them.
        recipe: The recipe that they must have been trained with, except for the precision: another machine may be
            faster in another one.

    Returns:
        The metadata of the file.

    Raises:
        InputError: The weights are of another recipe, or the file is not one of a training.
    """
    try:
        metadata = read_metadata(path)
        before = json.loads(metadata["recipe"])
        _check_recipe(path, before, {key: value for key, value in recipe.items() if key != "precision"})
        module.load_state_dict(read_weights(path).state)
    except InputError:
        raise
    except Exception:  # an untrusted or corrupt file can fail in any way
        raise InputError(f"{path} is not of this training: move it away, or give another `out`") from None
    return metadata


def load_start(module: nn.Module, path: str) -> None:
    """Load the file of weights that a recipe's ``start`` names. Raises `InputError` if it does not fit the network."""
    try:
        module.load_state_dict(read_weights(Path(path)).state)
    except RuntimeError:
        raise InputError(
            f"start = {path} has weights of another network than this recipe's: give the architecture, channels and blocks "
            "that it was trained with"
        ) from None


def _check_recipe(path: Path, before: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    # Converted to JSON and back, since JSON has lists in place of tuples.
    for key, value in json.loads(json.dumps(recipe)).items():
        if found := difference(json.loads(json.dumps(before.get(key))), value, key):
            raise RunConflictError(f"{path} was begun with {found}: give the same recipe, or another `out`")
