"""ReadResult and writing files of weights. Checkpoints come from strangers: nothing in them is ever run."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ddrscope.errors import InputError, printable
from ddrscope.io.files import atomic_write, is_file, sha256
from ddrscope.networks.checkpoints.conversion import how_to_convert
from ddrscope.networks.checkpoints.safety import check_directory, check_pickle
from ddrscope.networks.checkpoints.state_dicts import flattened

TORCH_SUFFIXES = (".pth", ".pt", ".ckpt")
SAFETENSORS, TORCH = "safetensors file", "PyTorch checkpoint"
MAX_BYTES = 8 << 30


class Weights(NamedTuple):
    """Named tensors, floating-point ones as float32, the file's own metadata, its SHA-256, and what a report should say of it.

    Names of nested dictionaries are joined: ``params.conv.weight``.
    """

    state: dict[str, Tensor]
    metadata: dict[str, str]
    sha256: str
    notes: tuple[str, ...] = ()


def read_weights(path: Path, allow_torchscript: bool = False) -> Weights:
    """Read a `.safetensors` file or a PyTorch checkpoint, the latter without running anything in it; which it is its content says.

    TorchScript archives hold programs: they are read only with ``allow_torchscript``, and only for their weights. Raises `InputError` for a
    missing, corrupt, disguised or refused file, and for one that holds no weights.
    """
    _check_file(path)
    metadata: dict[str, str] = {}
    named_safetensors = path.suffix.lower() == ".safetensors"
    content = content_of(path) or (SAFETENSORS if named_safetensors else TORCH)
    if content == SAFETENSORS:
        state, metadata = _read_safetensors(path)
    else:
        state = _find_state(path, _read_torch(path, allow_torchscript))
    notes = (
        ()
        if named_safetensors == (content == SAFETENSORS)
        else (f"By its content the file is a {content}: rename it.",)
    )
    return Weights(_as_float32(path, state), metadata, sha256(path), notes)


def content_of(path: Path) -> str | None:
    """`SAFETENSORS` or `TORCH`, by how a file begins; None for what is neither."""
    with path.open("rb") as file:
        start = file.read(9)
    # The length of a header in JSON, and its first character.
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8:
        return SAFETENSORS
    # A zip archive, or a pickle.
    return (
        TORCH
        if start.startswith(b"PK\3\4") or (start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"))
        else None
    )


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a `.safetensors` file, without its weights."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def save_network(path: Path, module: nn.Module, metadata: Mapping[str, str]) -> None:
    """Write a module's weights, in float16, and ``metadata`` to a `.safetensors` file, atomically.

    ``architecture`` and ``global_residual`` (``true`` or ``false``) are the metadata that `load_network` reads. Raises
    ValueError for weights that are not finite in float16.
    """
    state = {}
    for name, tensor in module.state_dict().items():
        saved = tensor.detach().cpu()
        if saved.is_floating_point():
            saved = saved.half()
            if not saved.isfinite().all():
                raise ValueError(f"the weights {name!r} are not finite in float16")
        state[name] = saved.clone(memory_format=torch.contiguous_format)
    with atomic_write(path) as temporary:
        save_file(state, temporary, metadata=dict(metadata))


def _check_file(path: Path) -> None:
    if not is_file(path):
        raise InputError(f"{path}: no such file; give a checkpoint, a bundled name or module:function")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path} is empty: download or save it again")
    if size > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES >> 30} GB: save the weights alone, without the optimizer")
    with path.open("rb") as file:
        start = file.read(256).lstrip().lower()
    if start.startswith(b"<"):
        raise InputError(f"{path} is a web page, not a checkpoint: download the file itself (the 'raw' link)")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{path} is a Git LFS pointer, not the checkpoint: fetch it with 'git lfs pull'")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise _corrupt(path, SAFETENSORS, error) from None


def _read_torch(path: Path, allow_torchscript: bool) -> Any:
    with path.open("rb") as file:
        # PyTorch goes by the beginning of a file, Python by its end.
        zipped = file.read(2) == b"PK" or zipfile.is_zipfile(path)
    if zipped and _is_torchscript(path):
        if not allow_torchscript:
            raise InputError(
                f"{path} is a TorchScript archive, which holds a program: save its state_dict() as .safetensors, "
                "or pass --allow-torchscript, in the commands that have it, if you trust its source"
            )
        return _read_torchscript(path)
    _check_pickles(path, zipped)
    try:
        # Given a path, it would go by the suffix.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message advises to load it unrestricted; that advice must not reach the user unasked.
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise _corrupt(path, TORCH, "not what torch.save writes") from None
        raise InputError(
            f"{path} holds more than weights ({refused[1][:80]}), and reading that could run a program: refused; "
            "get it as .safetensors or, if you trust its source, save its weights alone where its code can be imported: "
            + how_to_convert(path, zipped)
        ) from None
    # The unpickler may stumble over a hostile file in any way.
    except Exception as error:
        raise _corrupt(path, TORCH, error) from None


def _is_torchscript(path: Path) -> bool:
    """Whether a zip file is a TorchScript archive; raises `InputError` for one that unpacks to more than itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            check_directory(path, archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise _corrupt(path, TORCH, error) from None
    if any(entry.filename.endswith("constants.pkl") for entry in entries):
        return True
    # torch.save stores entries uncompressed, so an honest file unpacks to no more than its own size.
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise InputError(f"{path} would unpack to more than its own size, which torch.save never writes: refused")
    return False


def _check_pickles(path: Path, zipped: bool) -> None:
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    if entry.filename.endswith(".pkl"):
                        with archive.open(entry) as pickled:
                            check_pickle(cast(BinaryIO, pickled))
        else:
            with path.open("rb") as file:
                # A magic number, a protocol, the machine, the weights, their storages.
                for _ in range(5):
                    check_pickle(file)
    # Not followed to its end, it is not given to the unpickler either.
    except Exception as error:
        raise _corrupt(path, TORCH, f"not what torch.save writes: {error}") from None


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return torch.jit.load(path, map_location="cpu").state_dict()
    except RuntimeError as error:
        raise _corrupt(path, "TorchScript archive", error) from None


def _find_state(path: Path, content: Any) -> dict[str, Tensor]:
    """All tensors of a checkpoint that may be weights, by their joined names."""
    state = flattened(content) if isinstance(content, Mapping) else {}
    if not state:
        raise InputError(f"{path} is no network: {_what_it_holds(content)}; give the file with the network's weights")
    return state


def _what_it_holds(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}"
    if "param_groups" in content or any(str(key).startswith("optim") for key in content):
        return "it holds an optimizer's state without weights"
    keys = ", ".join(str(key)[:40] for key in list(content)[:5])
    return f"it holds no tensors (keys: {keys})" if keys else "it holds nothing"


def _as_float32(path: Path, state: dict[str, Tensor]) -> dict[str, Tensor]:
    for key, tensor in state.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            raise InputError(
                f"{path}: {key[:80]!r} is a sparse, quantized or complex tensor: save the weights as ordinary ones"
            )
        # Loading would take them for floats, without their scales.
        if tensor.dtype in (torch.int8, torch.uint8) and key.endswith("weight") and tensor.ndim > 1:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{path}: {key[:80]!r} is of {kind}, so quantized: save the weights as floats")
        # A view of stride 0 would let a file of a few bytes ask for terabytes.
        if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
            raise InputError(f"{path}: {key[:80]!r} claims to be larger than the data behind it: refused")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def _corrupt(path: Path, kind: str, reason: Exception | str) -> InputError:
    words = printable(str(reason))[:160] or type(reason).__name__
    return InputError(f"{path} is no readable {kind} ({words}): it may be cut short, download or save it again")
