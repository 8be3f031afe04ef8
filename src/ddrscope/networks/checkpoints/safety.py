"""Checkpoint safety: a small file must not create a large network, and its pickle may contain nothing but weights."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from pickletools import genops, markobject
from typing import Any, BinaryIO
from zipfile import ZipFile

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ddrscope.errors import InputError, printable

# What a network may hold (tables, masks) beyond a multiple of what is in its checkpoint.
SPARE_VALUES, SPARE_TENSORS = 1 << 27, 10_000
# Checkpoints of torch.save nest their tuples three deep.
DEEPEST_TUPLE = 100
# A single number makes one of these as large as all memory.
_MEMORY_BOMBS = ("builtins bytearray", "__builtin__ bytearray")


class AllocationLimit(TorchDispatchMode):
    """While the block runs, new tensors may hold no more than a multiple of what is in ``state``.

    Constructors rely on the shapes in a checkpoint: if one convolution in it has 100,000 channels, all others get as
    wide.

    Args:
        state: The tensors of the checkpoint.

    Raises:
        ValueError: A tensor would exceed the limit; it is raised before the allocation.
    """

    def __init__(self, state: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        sizes = [tensor.numel() for tensor in state]
        self.values, self.tensors = 4 * sum(sizes) + SPARE_VALUES, 20 * len(sizes) + SPARE_TENSORS

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here. To skip it, PyTorch would first import the compiler, which takes longer than
        # everything else.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        # Operators that create a tensor from none are given its device; on "meta" it has a size and no memory.
        if "device" in options and not any(isinstance(argument, Tensor) for argument in args):
            with suppress(NotImplementedError):
                self.values -= math.prod(func(*args, **options | {"device": torch.device("meta")}).shape)
            self.tensors -= 1
            if self.values < 0 or self.tensors < 0:
                raise ValueError("the network for these shapes is far larger than the file")
        return func(*args, **options)


def check_pickle(stream: BinaryIO) -> None:
    """Follow the operations of one pickle without executing them; ValueError if they would exhaust memory or stack.

    A deeply nested tuple that is used as a key is hashed by recursion in C, which only ends with the stack.
    """
    stack: list[int | None] = []
    memo: dict[Any, int] = {}
    for operation, argument, _ in genops(stream):
        name, before = operation.name, operation.stack_before
        if name == "GLOBAL" and argument in _MEMORY_BOMBS:
            raise ValueError(f"it would build a {argument.split()[1]}")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1] or 0
            continue
        taken: list[int | None] = []
        if markobject in before:
            while (top := stack.pop()) is not None:
                taken.append(top)
            before = before[: before.index(markobject)]
        taken += [stack.pop() for _ in before]
        depth = 0
        if "TUPLE" in name:
            depth = 1 + max((inner or 0 for inner in taken), default=0)
        elif "GET" in name:
            depth = memo.get(argument, 0)
        if depth > DEEPEST_TUPLE:
            raise ValueError(f"tuples nested more than {DEEPEST_TUPLE} deep")
        stack += [None] if name == "MARK" else [depth] * len(operation.stack_after)


def check_directory(path: Path, archive: ZipFile) -> None:
    """ValueError unless every reader of a zip file finds its central directory where Python does.

    PyTorch's reader believes the position in the end record, Python's computes it: a file with two directories would
    show a different one to each.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = file.seek(max(0, size - (1 << 16) - 22 - 20))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        stated = struct.unpack_from("<L", tail, end + 16)[0]
        locator = tail[end - 20 : end] if end >= 20 else b""
        if locator.startswith(b"PK\6\7"):
            record = struct.unpack_from("<Q", locator, 8)[0]
            if record != start + end - 20 - 56:
                raise ValueError("its end record points elsewhere")
            file.seek(record)
            stated = struct.unpack_from("<Q", file.read(56), 48)[0]
    if stated != archive.start_dir:
        raise ValueError("it has two central directories, or something before its beginning")


def corrupt(path: Path, kind: str, reason: Exception | str) -> InputError:
    """The error for a file that cannot be read as what it seems to be."""
    words = printable(str(reason))[:160] or type(reason).__name__
    return InputError(f"{path} is not a readable {kind} ({words}): it may be truncated, download or save it again")
