"""Reading the weights in a checkpoint, of whatever kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.io.files import is_file, sha256
from ddrscope.networks.checkpoints.safety import corrupt
from ddrscope.networks.checkpoints.state_dicts import flattened
from ddrscope.networks.checkpoints.torch_files import TORCH, read_torch

SAFETENSORS = "safetensors file"
MAX_BYTES = 8 << 30
# How files of gzip, bzip2, xz, 7-Zip and RAR begin.
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")


class Weights(NamedTuple):
    """The content of a checkpoint.

    ``state`` holds the tensors by name, floating-point ones as float32; names of nested dictionaries are joined, as
    ``params.conv.weight``. ``metadata`` is the file's own, ``sha256`` that of the file, ``notes`` are sentences for a
    report.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    sha256: str
    notes: tuple[str, ...] = ()


def read_weights(path: Path, allow_torchscript: bool = False) -> Weights:
    """Read a `.safetensors` file or a PyTorch checkpoint; the content decides which it is.

    Args:
        path: The checkpoint.
        allow_torchscript: Read the weights of a TorchScript archive, which contains programs.

    Raises:
        InputError: The file is missing, corrupt or refused, or contains no weights.
    """
    check_file(path)
    metadata: dict[str, str] = {}
    named_safetensors = path.suffix.lower() == ".safetensors"
    content = content_of(path) or (SAFETENSORS if named_safetensors else TORCH)
    if content == SAFETENSORS:
        state, metadata = _read_safetensors(path)
    else:
        state = _tensors(path, read_torch(path, allow_torchscript))
    misnamed = named_safetensors != (content == SAFETENSORS)
    notes = (f"By its content the file is a {content}: rename it.",) if misnamed else ()
    return Weights(_as_float32(path, state), metadata, sha256(path), notes)


def content_of(path: Path) -> str | None:
    """`SAFETENSORS` or `TORCH` by the first bytes of a file, None for neither."""
    with path.open("rb") as file:
        start = file.read(9)
    # The length of a header in JSON, and its first character.
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8:
        return SAFETENSORS
    is_zip, is_pickle = start.startswith(b"PK\3\4"), start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5")
    return TORCH if is_zip or is_pickle else None


def check_file(path: Path) -> None:
    """`InputError` for what is no checkpoint by its size or its first bytes: a page, a pointer, a packed archive."""
    if not is_file(path):
        raise InputError(f"{path}: no such file; give a checkpoint, a named network or module:function")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path} is empty: download or save it again")
    if size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES >> 30} GB: save the weights alone, without the optimizer")
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip().lower()
    if start.startswith(b"<"):
        raise InputError(f"{path} is a web page, not a checkpoint: download the file itself (the 'raw' link)")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{path} is a Git LFS pointer, not the checkpoint: fetch it with 'git lfs pull'")
    if head.startswith(_PACKED) or head[257:262] == b"ustar":
        raise InputError(f"{path} is an archive by its content, not a checkpoint: unpack it and give the file in it")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise corrupt(path, SAFETENSORS, error) from None


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    """All tensors of a checkpoint that may be weights, by their joined names."""
    state = flattened(content) if isinstance(content, Mapping) else {}
    if not state:
        raise InputError(f"{path} is not a network: {_summary(content)}; give the file with the network's weights")
    return state


def _summary(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"it contains a {type(content).__name__}"
    if "param_groups" in content or any(str(key).startswith("optim") for key in content):
        return "it contains an optimizer's state without weights"
    keys = ", ".join(str(key)[:40] for key in list(content)[:5])
    return f"it contains no tensors (keys: {keys})" if keys else "it contains nothing"


def _as_float32(path: Path, state: dict[str, Tensor]) -> dict[str, Tensor]:
    for key, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            raise InputError(
                f"{path}: {key[:80]!r} is a sparse, quantized or complex tensor: save the weights as ordinary ones"
            )
        # They would be loaded as floats, without their scales.
        if tensor.dtype in (torch.int8, torch.uint8) and key.endswith("weight") and tensor.ndim > 1:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{path}: {key[:80]!r} is of {kind}, so quantized: save the weights as floats")
        # A view of stride 0 would let a file of a few bytes ask for terabytes.
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise InputError(f"{path}: {key[:80]!r} claims to be larger than the data behind it: refused")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
