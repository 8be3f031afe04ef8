"""Networks in the layout of the Hugging Face hub: a folder with weights, a configuration and a model card."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError, require_extra
from ddrscope.io.files import atomic_write, write_json
from ddrscope.io.paths import expand_path
from ddrscope.networks.architectures.base import State
from ddrscope.networks.checkpoints.weights import read_weights
from ddrscope.networks.network import Network
from ddrscope.networks.registry import build_network
from ddrscope.networks.zoo import BUNDLED

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PREFIX = "hf://"
# The keys of `config.json` and their types. It names no file: what is read does not depend on it.
KEYS: dict[str, type | tuple[type, ...]] = {
    "library_name": str,
    "architecture": str,
    "scale": int,
    "channels": int,
    "global_residual": (bool, type(None)),
}
_MAX_CONFIG = 1 << 20
_REPOSITORY = re.compile(
    r"hf://(?P<id>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@(?P<revision>[\w.-]{1,100}))?"
)


def save_to_hub_folder(network: Network, folder: str | Path) -> Path:
    """Write a network as a folder in the layout of the Hugging Face hub.

    `load_network` on the folder gives bit-identical outputs. Weights are written in float16 if that changes none of
    them. Nothing is uploaded.

    Args:
        network: The network.
        folder: An empty folder, or one that does not exist.

    Returns:
        The folder.

    Raises:
        InputError: The folder is not empty, or the weights alone do not restore the network (one from a function, a
            classifier, one whose output is shrunk).
        MissingDependencyError: huggingface_hub, which writes the card, is not installed.
    """
    folder = expand_path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not an empty folder: choose another")
    state = {name: _smallest(tensor) for name, tensor in network.module.state_dict().items()}
    config = _config(network)
    restored = _restore({name: _as_read(tensor) for name, tensor in state.items()}, config, network.name)
    if restored is None or not _same_outputs(network, restored):
        raise InputError(
            f"{network.name} ({network.architecture}) cannot be restored from its weights alone, so it is not written: "
            "only networks that are loaded from a checkpoint can be"
        )
    card = _card(network)
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(state, temporary, {"format": "pt"} | _metadata(config))
    write_json(folder / CONFIG, config)
    with atomic_write(folder / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return folder


def is_hub_folder(path: Path) -> bool:
    """Whether `load_hub_folder` should read ``path``, or report why it cannot."""
    return path.is_dir() and ((path / CONFIG).is_file() or (path / WEIGHTS).is_file())


def load_hub_folder(folder: Path, name: str | None = None, global_residual: bool | None = None) -> Network:
    """Load the network in a folder of the hub's layout.

    Args:
        folder: The folder.
        name: The name of the network; None: the folder's.
        global_residual: As in `load_network`.

    Raises:
        InputError: A file is missing, the configuration has unknown content, or it does not agree with the weights.
    """
    name = name or folder.resolve().name
    config = read_config(folder / CONFIG)
    weights = read_weights(folder / WEIGHTS)
    network = build_network(weights.state, _metadata(config), str(folder / WEIGHTS), global_residual)
    for key in ("architecture", "scale", "channels"):
        if getattr(network, key) != config[key]:
            raise InputError(
                f"{folder / CONFIG} states {key} {_short(config[key])}, but the weights beside it have "
                f"{getattr(network, key)}: "
                "one of the two files belongs to another network"
            )
    return dataclasses.replace(network, name=name, source=str(folder / WEIGHTS), sha256=weights.sha256)


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration; `InputError` for anything but the known keys with values of their types."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; a network of the hub is a folder with {CONFIG} and {WEIGHTS}")
    if path.stat().st_size > _MAX_CONFIG:
        raise InputError(f"{path} is larger than {_MAX_CONFIG >> 20} MB, too large for a configuration: refused")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is not JSON ({_short(error)}): download it again") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} contains no object: it must have {', '.join(KEYS)}")
    unknown = [key for key in config if key not in KEYS]
    if unknown or config.get("library_name") != "ddrscope":
        what = f"unknown key {_short(unknown[0])}" if unknown else f"library_name {_short(config.get('library_name'))}"
        raise InputError(
            f"{path} has the {what}, so ddrscope did not write it: give the checkpoint beside it, or a converted one"
        )
    for key, kind in KEYS.items():
        value = config.get(key, ...)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            found = "is missing" if value is ... else f"is {_short(value)}"
            raise InputError(
                f"{path}: {key} {found}, which no network has: write it again with `ddrscope models export`"
            )
    return config


def cached_folder(spec: str) -> Path:
    """The folder of ``hf://ORG/NAME[@REVISION]`` in the hub's cache on this machine; nothing is downloaded.

    Raises:
        InputError: The spec has another form, or the network is not in the cache.
        MissingDependencyError: huggingface_hub is not installed.
    """
    match = _REPOSITORY.fullmatch(spec)
    if not match:
        raise InputError(f"{_short(spec)} is not of the form {PREFIX}ORG/NAME or {PREFIX}ORG/NAME@REVISION")
    with require_extra("hub", spec):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    try:
        return Path(snapshot_download(match["id"], revision=match["revision"], local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError):
        raise InputError(
            f"{spec} is not in the hub's cache on this machine: download it first (hf download {match['id']})"
        ) from None


def cached_name(spec: str) -> str:
    """The NAME in ``hf://ORG/NAME[@REVISION]``."""
    return spec.removeprefix(PREFIX).split("@")[0].split("/")[-1]


def _config(network: Network) -> dict[str, Any]:
    known = {key: getattr(network, key) for key in KEYS if key != "library_name"}
    return {"library_name": "ddrscope"} | known


def _metadata(config: dict[str, Any]) -> dict[str, str]:
    """The metadata of a checkpoint with the same content."""
    return {"architecture": config["architecture"], "global_residual": str(config["global_residual"]).lower()}


def _smallest(tensor: Tensor) -> Tensor:
    """The tensor in float16 if that is exact, else unchanged."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor):
        tensor = tensor.half()
    return tensor.clone(memory_format=torch.contiguous_format)


def _as_read(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _restore(state: State, config: dict[str, Any], name: str) -> Network | None:
    try:
        network = build_network(state, _metadata(config), name)
    except InputError:
        return None
    return network if _config(network) == config else None


def _same_outputs(network: Network, restored: Network) -> bool:
    side = -(-max(16, network.minimum_size) // network.size_multiple) * network.size_multiple
    device = next(network.module.parameters()).device
    batch = torch.rand(1, network.channels, side, side, generator=torch.Generator().manual_seed(0))
    return torch.equal(network(batch.to(device)), restored.to(device)(batch.to(device)))


def _card(network: Network) -> str:
    with require_extra("hub", "exporting a network"):
        from huggingface_hub import ModelCard, ModelCardData
    bundled = BUNDLED / f"{network.name}.md"
    if bundled.is_file() and Path(network.source) == bundled.with_suffix(".safetensors"):
        return bundled.read_text(encoding="utf-8")
    tag = re.sub(r"[^a-z0-9-]+", "-", network.architecture.lower())
    header = ModelCardData(
        library_name="ddrscope", pipeline_tag="image-to-image", tags=["image-restoration", tag]
    ).to_yaml()
    residual = {True: "with a", False: "without", None: "possibly with a"}[network.global_residual]
    text = f"""
# {re.sub(r"[^ -~]", "?", network.name)}

{network.architecture}, x{network.scale}, {network.channels} input channels, {network.parameters:,} parameters,
{residual} global residual. Licence and training are unknown to the program that wrote this card: add them before you
publish it.

    ddrscope models show FOLDER        # FOLDER is this folder; any command takes it as NETWORK
"""
    return str(ModelCard(f"---\n{header}\n---\n{text}"))


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Exception) else repr(value)
    return " ".join(text.split())[:80]
