"""Files made by hand, and what the tests of bad input share."""

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
from playwright.sync_api import Browser

from ddrscope.analysis import AnalysisResult
from ddrscope.errors import InputError
from ddrscope.images import UnreadableImage, read_image
from ddrscope.networks import load_network
from ddrscope.viz import report_html

# What may lie where a file is looked for.
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
    """A PNG written by hand: Pillow cannot write 16-bit colour, nor a header that lies about the size."""
    height, width, channels = values.shape
    depth = 8 * values.dtype.itemsize
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(f">u{values.dtype.itemsize}").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, color_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def reason(path: Path, **options: int) -> str:
    """Why an image cannot be read, in one line."""
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, **options)
    assert caught.value.path == path
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return caught.value.reason


def refusal(path: Path, **options: Any) -> str:
    """The one line that loading a file of weights gives."""
    with pytest.raises(InputError) as caught:
        load_network(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    assert str(path) in message
    return message


class Attack:
    """Pickles to a call that leaves a file behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


@contextmanager
def memory_below(megabytes: int) -> Iterator[None]:
    """Fails if the block ever holds so much more than before."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("what a process holds is read from /proc")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _kilobytes(status, "VmRSS")
    yield
    assert _kilobytes(status, "VmHWM") - before < megabytes << 10


def _kilobytes(status: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


def open_page(browser: Browser, result: AnalysisResult, folder: Path, width: int) -> tuple[Any, dict[str, list[str]]]:
    """A report in a real browser, and what it says, asks the network for, and does there that it must not."""
    file = folder / "page.html"
    file.write_text(report_html(result), encoding="utf-8")
    seen: dict[str, list[str]] = {"console": [], "requests": [], "dialogs": []}
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("console", lambda message: seen["console"].append(message.text))
    page.on("pageerror", lambda error: seen["console"].append(str(error)))
    page.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.dismiss()))
    local = ("file:", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(local) else seen["requests"].append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("#map .scatterlayer .point")
    return page, seen
