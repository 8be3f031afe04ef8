"""Enlarging files: read, identify, enlarge, write; a bad file costs its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.features.execution import check_precision
from ddrscope.images import PictureFile
from ddrscope.images.remote import local_copy
from ddrscope.networks import Network
from ddrscope.progress import Progress
from ddrscope.restoration.files import FORMATS, Original, check_format, read_original, write_picture
from ddrscope.restoration.tiles import OVERLAP, TILE, check_network, check_scale, check_tiles, count_tiles, enlarge

# What the command writes there beside the results.
OWN_FOLDERS = ("parts", "compare", "explain")
# Told of each finished picture: its file, its original, and what was made of it, (H, W, C) in uint8 or uint16.
Watch = Callable[[PictureFile, Original, NDArray[np.unsignedinteger]], dict[str, Any]]


@dataclass(frozen=True)
class UpscaleRun:
    """Enlarges ``files`` by ``network`` into ``out``, one ``stem.FORMAT`` each, subfolders kept.

    ``scale`` is the network's own or a whole fraction of it (None: its own). Grey pictures stay grey, transparency is enlarged bicubically.
    Raises `InputError` for settings that cannot be met and for pictures that would be written to one file.
    """

    network: Network
    files: Sequence[PictureFile]
    out: Path
    scale: int | None = None
    format: str = "png"
    tile: int = TILE
    overlap: int = OVERLAP
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_network(self.network)
        check_tiles(self.tile, self.overlap)
        check_precision(self.precision)
        if self.format not in FORMATS:
            raise InputError(f"--format {self.format} is unknown: choose {', '.join(FORMATS)}")
        check_scale(self.network, self.scale)
        targets = {self.target(file) for file in self.files}
        if len(targets) < len(self.files):
            raise InputError("two pictures differ in their ending only and would both become one file: give them one by one")
        ours = {path.relative_to(self.out).parts[0] for path in targets} & set(OWN_FOLDERS)
        if ours:
            raise InputError(f"a folder of pictures called {min(ours)!r} would be mixed up with what upscale writes there: rename it")

    def target(self, file: PictureFile) -> Path:
        """Where a picture's result goes."""
        return self.out / PurePosixPath(file.name).with_suffix(f".{self.format}")

    def one(self, file: PictureFile, progress: Progress, watch: Watch | None = None) -> dict[str, Any]:
        """The row of one picture: what was written and its size, or the ``error``, one line. A full disk raises OSError."""
        row: dict[str, Any] = {"path": str(file.path), "out": None, "width": None, "height": None, "bits": None, "error": None}
        step = "not enlarged"
        try:
            with local_copy(file.path) as path:
                original = read_original(path)
            height, width = original.color.shape[:2]
            scale, bits = self.scale or self.network.scale, original.bits if self.format == "png" else 8
            check_format(self.format, width * scale, height * scale, original.alpha is not None)
            progress.start(file.name, count_tiles(self.network, height, width, self.tile))
            made = enlarge(
                self.network, original.color, scale, alpha=original.alpha, bits=bits, tile=self.tile, overlap=self.overlap,
                precision=self.precision, advance=progress.advance,
            )  # fmt: skip
            write_picture(self.target(file), made, original, self.format)
            row |= {"out": str(self.target(file)), "width": made.shape[1], "height": made.shape[0], "bits": bits}
            step = "enlarged, but not looked at further"
            return row | (watch(file, original, made) if watch else {})
        except InputError as error:
            return row | {"error": _named(file, str(error))}
        # Networks and pictures of strangers fail in any way; each costs its own row.
        except Exception as error:
            # A full disk is not the picture's fault; Pillow's own complaints have no number.
            if isinstance(error, OSError) and error.errno:
                raise
            memory = isinstance(error, MemoryError) or "memory" in str(error)
            remedy = "; give a smaller --tile, or the picture in parts" if memory else ""
            return row | {"error": _named(file, f"{step}: {' '.join(str(error).split())[:200] or type(error).__name__}{remedy}")}


def _named(file: PictureFile, text: str) -> str:
    return text if str(file.path) in text else f"{file.path}: {text}"
