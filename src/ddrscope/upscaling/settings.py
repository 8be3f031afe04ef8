"""The settings of a run, and where its results go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ddrscope.errors import InputError
from ddrscope.features.precision import ResolvedPrecision
from ddrscope.images import ImageFile, result_names
from ddrscope.images.writing import FORMATS
from ddrscope.io.run_directory import PARTS
from ddrscope.networks import Network
from ddrscope.upscaling.checks import check_scale, check_tiles

SUMMARY, COMPARE, EXPLAIN = "upscale.json", "compare", "explain"
# What a run writes at the top of its output directory besides the enlarged images.
OUTPUTS = (SUMMARY, COMPARE, EXPLAIN)
_RESERVED_FOLDERS = (PARTS, COMPARE, EXPLAIN)


@dataclass(frozen=True)
class UpscalingSettings:
    """What decides the results of a run besides the network and the images; see `ddrscope.upscale`."""

    scale: int
    format: str
    tile: int
    overlap: int
    precision: ResolvedPrecision
    compare: bool
    explain: bool
    identify: bool

    def __post_init__(self) -> None:
        check_tiles(self.tile, self.overlap)
        if self.format not in FORMATS:
            raise InputError(f"`format`={self.format} is unknown: choose {', '.join(FORMATS)}")

    def drawing_folders(self) -> list[str]:
        """The folders with a drawing for each image."""
        return [name for name, is_drawn in ((COMPARE, self.compare), (EXPLAIN, self.explain)) if is_drawn]

    def to_manifest(self, network: Network) -> dict[str, Any]:
        """The settings in the manifest of a run."""
        identity = {"network": network.identity(), "global_residual": network.global_residual}
        return identity | {
            "scale": check_scale(network, self.scale),
            "format": self.format,
            "tile": self.tile,
            "overlap": self.overlap,
            "precision": self.precision,
            "compare": self.compare,
            "explain": self.explain,
            "identify": self.identify,
        }


@dataclass(frozen=True)
class ResultPaths:
    """Where the results of each image go: ``out/stem.FORMAT`` and ``out/FOLDER/stem.png``, subfolders kept.

    Raises:
        InputError: A folder of images has a name that the run writes itself.
    """

    out: Path
    files: Sequence[ImageFile]
    format: str

    def __post_init__(self) -> None:
        reserved = {path.parts[0] for path in self._names.values()} & set(_RESERVED_FOLDERS)
        if reserved:
            raise InputError(
                f"a folder of images called {min(reserved)!r} would be mixed up with what upscale writes there: rename it"
            )

    def result(self, file: ImageFile) -> Path:
        """The enlarged image."""
        return self.out / self._names[file]

    def drawing(self, folder: str, file: ImageFile) -> Path:
        """The drawing of an image in a folder."""
        return self.out / folder / self._drawing_names[file]

    @cached_property
    def _names(self) -> dict[ImageFile, PurePosixPath]:
        return result_names(self.files, f".{self.format}")

    @cached_property
    def _drawing_names(self) -> dict[ImageFile, PurePosixPath]:
        return result_names(self.files, ".png")
