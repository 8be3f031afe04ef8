"""Enlarging files: read, identify, enlarge, write; a bad file costs its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.images import PictureFile
from ddrscope.networks import Network
from ddrscope.progress import Progress
from ddrscope.restoration.files import FORMATS, Original, read_original, write_picture
from ddrscope.restoration.tiles import OVERLAP, TILE, check_network, check_scale, check_tiles, count_tiles, enlarge

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
        if self.format not in FORMATS:
            raise InputError(f"--format {self.format} is unknown: choose {', '.join(FORMATS)}")
        check_scale(self.network, self.scale)
        if len({self.target(file) for file in self.files}) < len(self.files):
            raise InputError("two pictures differ in their ending only and would both become one file: give them one by one")

    def target(self, file: PictureFile) -> Path:
        """Where a picture's result goes."""
        return self.out / PurePosixPath(file.name).with_suffix(f".{self.format}")

    def one(self, file: PictureFile, progress: Progress, watch: Watch | None = None) -> dict[str, Any]:
        """The row of one picture: what was written and its size, or the ``error``, one line."""
        row: dict[str, Any] = {"path": str(file.path), "out": None, "width": None, "height": None, "bits": None, "error": None}
        try:
            original = read_original(file.path)
            height, width = original.color.shape[:2]
            progress.start(file.name, count_tiles(height, width, self.tile))
            made = self.enlarge(original, progress)
            write_picture(self.target(file), made, original, self.format)
            row |= {"out": str(self.target(file)), "width": made.shape[1], "height": made.shape[0], "bits": 8 * made.dtype.itemsize}
            return row | (watch(file, original, made) if watch else {})
        except InputError as error:
            return row | {"error": str(error)}
        except MemoryError:
            return row | {"error": f"{file.path}: not enough memory: give a smaller --tile"}

    def enlarge(self, original: Original, progress: Progress) -> NDArray[np.unsignedinteger]:
        """A picture's pixels enlarged, its transparency last where it has any."""
        made = enlarge(
            self.network, original.rgb, self.scale, bits=original.bits, tile=self.tile, overlap=self.overlap, precision=self.precision,
            advance=progress.advance,
        )  # fmt: skip
        if original.color.shape[2] == 1:
            made = np.rint(made.mean(axis=2, keepdims=True, dtype=np.float32)).astype(made.dtype)
        if original.alpha is None:
            return made
        highest = np.iinfo(made.dtype).max
        alpha = np.rint(resize(original.alpha, made.shape[:2]).clip(0, 1) * highest).astype(made.dtype)
        return np.concatenate([made, alpha], axis=2)
