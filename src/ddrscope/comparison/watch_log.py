"""What `watch` remembers between runs: the reference, and a line for each image that arrived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, exists, read_json, read_text, write_json
from ddrscope.results.comparison import AXES
from ddrscope.results.watch import WatchedImage

REFERENCE, LINES = "reference.json", "images.jsonl"
# A line has 200 bytes: five million images.
MAX_BYTES = 1_000_000_000


class WatchLog:
    """The files of a watch in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reference(self) -> tuple[Mapping[str, Any], NDArray[np.float64]] | None:
        """The settings and the values (N, axes) of the reference; None if there is none yet."""
        path = self.folder / REFERENCE
        if not exists(path):
            return None
        try:
            content = read_json(path)
            values = np.array(content["values"], dtype=float).reshape(-1, len(AXES))
            if not np.isfinite(values).all():
                raise ValueError("a value is not finite")
            return dict(content["settings"]), values
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            raise InputError(f"{path} was not written by `watch`: give another `out`") from None

    def write_reference(self, settings: Mapping[str, Any], values: NDArray[np.float64]) -> None:
        """Write the reference."""
        write_json(self.folder / REFERENCE, {"settings": dict(settings), "values": values.tolist()})

    def images(self) -> list[WatchedImage]:
        """The images so far, in the order of their arrival. Half a line, of a run that was killed, is dropped."""
        path = self.folder / LINES
        if not exists(path):
            return []
        try:
            lines = read_text(path, MAX_BYTES).splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):
                lines = lines[:-1]
                with atomic_write(path) as temporary:
                    temporary.write_text("".join(lines), encoding="utf-8")
            return [WatchedImage.from_line(line) for line in lines]
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            raise InputError(f"{path} was not written by `watch`: give another `out`") from None

    def append(self, images: Iterator[WatchedImage]) -> Iterator[WatchedImage]:
        """Write images as they come, a line each."""
        path = self.folder / LINES
        if path.is_symlink():
            raise InputError(f"{path} is a symbolic link: remove it, or give another `out`")
        with path.open("a", encoding="utf-8") as file:
            for image in images:
                file.write(image.to_line())
                file.flush()
                yield image
