"""Networks in the layout of the Hugging Face hub: a folder with `model.safetensors`, `config.json` and `README.md`, the card."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, write_json
from ddrscope.io.paths import expand_path
from ddrscope.networks.checkpoints.weights import read_weights
from ddrscope.networks.network import Network
from ddrscope.networks.registry import build_network
from ddrscope.networks.zoo import BUNDLED

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
PREFIX = "hf://"
# What `config.json` says, and of which type. It names no file: what is read does not depend on it.
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
    """Write a network's weights, its configuration and its card; `load_network(folder)` gives the same outputs to the bit.

    Weights are written in float16 where that changes none of them. Raises `InputError` for a network that its weights alone would not
    bring back (a function's, a classifier, one that is shrunk afterwards), and for a folder that is not empty.
    """
    folder = expand_path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there and is no empty folder: choose another")
    state = {name: _smallest(tensor) for name, tensor in network.module.state_dict().items()}
    config = _config(network)
    again = _rebuild({name: _as_read(tensor) for name, tensor in state.items()}, config, network.name)
    if again is None or not _same_outputs(network, again):
        raise InputError(
            f"{network.name} ({network.architecture}) cannot be brought back from its weights alone, so it is not written: "
            "only networks that a checkpoint of theirs brings back can be"
        )
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(state, temporary, {"format": "pt"} | _metadata(config))
    write_json(folder / CONFIG, config)
    with atomic_write(folder / CARD) as temporary:
        temporary.write_text(_card(network), encoding="utf-8")
    return folder


def is_hub_folder(path: Path) -> bool:
    """Whether ``path`` is a folder that `load_hub_folder` should read, or say why it cannot."""
    return path.is_dir() and ((path / CONFIG).is_file() or (path / WEIGHTS).is_file())


def load_hub_folder(folder: Path, name: str | None = None, global_residual: bool | None = None) -> Network:
    """The network in a folder of the hub's layout, named ``name``, else as the folder.

    Raises `InputError` where a file is missing, the configuration holds anything unknown, or does not agree with the weights.
    """
    name = name or folder.resolve().name
    config = read_config(folder / CONFIG)
    weights = read_weights(folder / WEIGHTS)
    network = build_network(weights.state, _metadata(config), str(folder / WEIGHTS), global_residual)
    for key in ("architecture", "scale", "channels"):
        if getattr(network, key) != config[key]:
            raise InputError(
                f"{folder / CONFIG} says {key} {_short(config[key])}, but the weights beside it are those of {getattr(network, key)}: "
                "one of the two files is another network's"
            )
    return dataclasses.replace(network, name=name, source=str(folder / WEIGHTS), sha256=weights.sha256)


def read_config(path: Path) -> dict[str, Any]:
    """A configuration, checked; `InputError` for anything but the known keys with values of their types."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; a network of the hub is a folder with {CONFIG} and {WEIGHTS}")
    if path.stat().st_size > _MAX_CONFIG:
        raise InputError(f"{path} is larger than {_MAX_CONFIG >> 20} MB, which no configuration is: refused")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is no JSON ({_short(error)}): download it again") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no object: it must have {', '.join(KEYS)}")
    unknown = [key for key in config if key not in KEYS]
    if unknown or config.get("library_name") != "ddrscope":
        what = (
            f"the unknown key {_short(unknown[0])}" if unknown else f"library_name {_short(config.get('library_name'))}"
        )
        raise InputError(
            f"{path} has {what}, so it is not ddrscope's; give the file of weights beside it instead, or a converted one"
        )
    for key, kind in KEYS.items():
        value = config.get(key, ...)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            found = "is missing" if value is ... else f"is {_short(value)}"
            raise InputError(f"{path}: {key} {found}, which no network has: write it anew with ddrscope models export")
    return config


def cached_folder(spec: str) -> Path:
    """Where `hf://ORG/NAME[@REVISION]` lies in the hub's cache on this machine; nothing is ever fetched. `InputError` where it does not."""
    match = _REPOSITORY.fullmatch(spec)
    if not match:
        raise InputError(f"{_short(spec)} is not of the form {PREFIX}ORG/NAME or {PREFIX}ORG/NAME@REVISION")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise InputError(f"{spec} needs the package huggingface_hub: pip install 'ddrscope[hub]'") from None
    try:
        return Path(snapshot_download(match["id"], revision=match["revision"], local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError):
        raise InputError(
            f"{spec} is not in the hub's cache on this machine: fetch it first (hf download {match['id']})"
        ) from None


def cached_name(spec: str) -> str:
    """The NAME of `hf://ORG/NAME[@REVISION]`."""
    return spec.removeprefix(PREFIX).split("@")[0].split("/")[-1]


def _config(network: Network) -> dict[str, Any]:
    known = {key: getattr(network, key) for key in KEYS if key != "library_name"}
    return {"library_name": "ddrscope"} | known


def _metadata(config: dict[str, Any]) -> dict[str, str]:
    """What the metadata of a file of weights would say."""
    return {"architecture": config["architecture"], "global_residual": str(config["global_residual"]).lower()}


def _smallest(tensor: Tensor) -> Tensor:
    """The tensor in float16 if that is exact, else as it is."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor):
        tensor = tensor.half()
    return tensor.clone(memory_format=torch.contiguous_format)


def _as_read(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _rebuild(state: dict[str, Tensor], config: dict[str, Any], name: str) -> Network | None:
    try:
        again = build_network(state, _metadata(config), name)
    except InputError:
        return None
    return again if _config(again) == config else None


def _same_outputs(network: Network, again: Network) -> bool:
    side = -(-max(16, network.minimum_size) // network.size_multiple) * network.size_multiple
    device = next(network.module.parameters()).device
    batch = torch.rand(1, network.channels, side, side, generator=torch.Generator().manual_seed(0))
    return torch.equal(network(batch.to(device)), again.to(device)(batch.to(device)))


def _card(network: Network) -> str:
    bundled = BUNDLED / f"{network.name}.md"
    if bundled.is_file() and Path(network.source) == bundled.with_suffix(".safetensors"):
        return bundled.read_text(encoding="utf-8")
    residual = {True: "with", False: "without", None: "unknown whether with"}[network.global_residual]
    facts = (
        f"{network.architecture}, x{network.scale}, {network.channels} input channels, {network.parameters:,} parameters, "
        f"{residual} a global residual."
    )
    return f"""---
library_name: ddrscope
pipeline_tag: image-to-image
tags:
- image-restoration
- {re.sub(r"[^a-z0-9-]+", "-", network.architecture.lower())}
---
# {re.sub(r"[^ -~]", "?", network.name)}

{facts} Its licence and its training are not known to the program that wrote this: add them before you give it on.

    ddrscope models show FOLDER        # with FOLDER this folder; any command takes it as NETWORK
"""


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Exception) else repr(value)
    return " ".join(text.split())[:80]
