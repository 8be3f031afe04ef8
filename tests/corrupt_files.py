"""Corrupt files written by hand, and assertions on how they are refused."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddrscope.errors import InputError
from ddrscope.images import UnreadableImage, read_image
from ddrscope.networks import load_network

# Directory entries that are not regular files.
NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": os.mkdir,
    "loop": lambda path: path.symlink_to(path),
}


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(values: np.ndarray, size: tuple[int, int] | None = None, extra: bytes = b"") -> bytes:
    """A PNG written by hand: Pillow can write neither 16-bit color nor a wrong size in the header."""
    height, width, channels = values.shape
    depth = 8 * values.dtype.itemsize
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(f">u{values.dtype.itemsize}").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, color_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def reason(path: Path, **options: int) -> str:
    """The reason why an image cannot be read. Asserts that the error is one line with the path."""
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, **options)
    assert caught.value.path == path
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return caught.value.reason


def refusal(path: Path, **options: Any) -> str:
    """The message of the error that loading a file of weights raises. Asserts that it is one line with the path."""
    with pytest.raises(InputError) as caught:
        load_network(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 900
    assert str(path) in message
    return message


class Attack:
    """Its pickle calls a command that creates the file `target`."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


@contextmanager
def memory_below(megabytes: int) -> Iterator[None]:
    """Fails if the memory of the process grows by more than `megabytes` within the block."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("needs /proc")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = _kilobytes(status, "VmRSS")
    yield
    assert _kilobytes(status, "VmHWM") - before < megabytes << 10


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))
