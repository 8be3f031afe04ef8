"""What a checkpoint may ask for: a small file must not make a large network, nor its pickle anything but weights."""

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

# Beside what its file explains, a network may hold so many values (tables, masks) in so many tensors.
SPARE_VALUES, SPARE_TENSORS = 1 << 27, 10_000
# Honest checkpoints nest their tuples three deep.
DEEPEST_TUPLE = 100
# A number is enough to make one of these as large as all memory.
_BOMBS = ("builtins bytearray", "__builtin__ bytearray")


class AllocationLimit(TorchDispatchMode):
    """While the block runs, new tensors may hold no more than some times what is in ``state``; ValueError before one does.

    Constructors believe what the shapes in a file say: one convolution of 100,000 channels in it, and all others are as wide.
    """

    def __init__(self, state: Iterable[Tensor]) -> None:
        super().__init__()
        sizes = [tensor.numel() for tensor in state]
        self.values, self.tensors = 4 * sum(sizes) + SPARE_VALUES, 20 * len(sizes) + SPARE_TENSORS

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled here; to be skipped by the compiler, PyTorch would first import it, which takes longer than all else.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        # Whatever makes a tensor of none is told its device; on "meta" it has a size and no memory.
        if "device" in options and not any(isinstance(one, Tensor) for one in args):
            with suppress(NotImplementedError):
                self.values -= math.prod(func(*args, **options | {"device": torch.device("meta")}).shape)
            self.tensors -= 1
            if self.values < 0 or self.tensors < 0:
                raise ValueError("the network that these shapes ask for is far larger than the file")
        return func(*args, **options)


def check_pickle(stream: BinaryIO) -> None:
    """Follow the instructions of one pickle without obeying them; ValueError for those that would exhaust memory or stack.

    A tuple of tuples of tuples ... used as a key is hashed by recursion in C, which has no limit but the end of the stack.
    """
    stack: list[int | None] = []
    memo: dict[Any, int] = {}
    for operation, argument, _ in genops(stream):
        name, before = operation.name, operation.stack_before
        if name == "GLOBAL" and argument in _BOMBS:
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
        depth = (
            1 + max((one or 0 for one in taken), default=0)
            if "TUPLE" in name
            else memo.get(argument, 0)
            if "GET" in name
            else 0
        )
        if depth > DEEPEST_TUPLE:
            raise ValueError(f"tuples nested more than {DEEPEST_TUPLE} deep")
        stack += [None] if name == "MARK" else [depth] * len(operation.stack_after)


def check_directory(path: Path, archive: ZipFile) -> None:
    """ValueError unless every reader of a zip file finds the table of contents where Python does.

    PyTorch's goes by what the end of the file says, Python's by where that end is: a file with two tables would show one to each.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = file.seek(max(0, size - (1 << 16) - 22 - 20))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        said = struct.unpack_from("<L", tail, end + 16)[0]
        locator = tail[end - 20 : end] if end >= 20 else b""
        if locator.startswith(b"PK\6\7"):
            record = struct.unpack_from("<Q", locator, 8)[0]
            if record != start + end - 20 - 56:
                raise ValueError("its end points elsewhere")
            file.seek(record)
            said = struct.unpack_from("<Q", file.read(56), 48)[0]
    if said != archive.start_dir:
        raise ValueError("it has two tables of contents, or something before its beginning")
