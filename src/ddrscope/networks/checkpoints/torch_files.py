"""Reading PyTorch checkpoints by the restricted unpickler, after checks that nothing in them exhausts memory."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.networks.checkpoints.conversion import how_to_convert
from ddrscope.networks.checkpoints.safety import check_directory, check_pickle, corrupt

TORCH_SUFFIXES = (".pth", ".pt", ".ckpt")
TORCH = "PyTorch checkpoint"
# A checkpoint of the legacy format: a magic number, a protocol, the machine, the content, its storages.
_LEGACY_PICKLES = 5


def read_torch(path: Path, allow_torchscript: bool) -> Any:
    """The content of a PyTorch checkpoint.

    Raises:
        InputError: The file is corrupt, or contains more than `torch.load` reads safely.
    """
    with path.open("rb") as file:
        # PyTorch looks at the beginning of a file, Python at its end.
        zipped = file.read(2) == b"PK" or zipfile.is_zipfile(path)
    if zipped and _is_torchscript(path):
        if not allow_torchscript:
            raise InputError(
                f"{path} is a TorchScript archive, which contains a program: save its state_dict() as .safetensors or, "
                "if you trust its source, give `allow_torchscript`=True where that is a parameter"
            )
        return _read_torchscript(path)
    _check_pickles(path, zipped)
    try:
        # Given a path, torch.load would go by the suffix.
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message recommends unrestricted loading, which must not reach the user.
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise corrupt(path, TORCH, "not what torch.save writes") from None
        raise InputError(
            f"{path} contains more than weights ({refused[1][:80]}), and reading that could run a program: refused; get "
            "it as .safetensors or, if you trust its source, save its weights alone where its code can be imported: "
            + how_to_convert(path, zipped, refused[1])
        ) from None
    # A malicious file can make the unpickler fail in any way.
    except Exception as error:
        raise corrupt(path, TORCH, error) from None


def _is_torchscript(path: Path) -> bool:
    """Whether a zip file is a TorchScript archive; `InputError` for one that unpacks to more than its own size."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            check_directory(path, archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise corrupt(path, TORCH, error) from None
    if any(entry.filename.endswith("constants.pkl") for entry in entries):
        return True
    if entries and not any(entry.filename.endswith("data.pkl") for entry in entries):
        raise InputError(
            f"{path} is a zip archive without weights, not a checkpoint: unpack it and give the file in it"
        )
    # torch.save does not compress, so its archives unpack to no more than their own size.
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
                for _ in range(_LEGACY_PICKLES):
                    check_pickle(file)
    # What cannot be followed to its end is not given to the unpickler either.
    except Exception as error:
        raise corrupt(path, TORCH, f"not what torch.save writes: {error}") from None


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            module: nn.Module = torch.jit.load(path, map_location="cpu")
            return module.state_dict()
    except RuntimeError as error:
        raise corrupt(path, "TorchScript archive", error) from None
