"""Enlarging files: read, identify, enlarge, write; a bad file costs its row."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.batch.inputs import check_unchanged, digest_of, new_images
from ddrscope.errors import InputError, printable
from ddrscope.features import Precision
from ddrscope.features.precision import check_precision
from ddrscope.images import ImageFile, result_names
from ddrscope.images.remote import local_copy
from ddrscope.io.files import read_json, remove_stale_temp_files, sha256, without_nan, write_json
from ddrscope.networks import Network
from ddrscope.progress import Progress
from ddrscope.upscaling.image_files import FORMATS, SourceImage, check_format, read_source_image, write_image
from ddrscope.upscaling.tiling import OVERLAP, TILE, check_network, check_scale, check_tiles, count_tiles, enlarge

# What the command writes there beside the results.
OWN_FOLDERS = ("parts", "compare", "explain")
SUMMARY = "upscale.json"
# What a run writes at the top of its folder, besides the enlarged images.
OUTPUTS = (SUMMARY, "compare", "explain")
# Told of each finished image: its file, its original, and what was made of it, (H, W, C) in uint8 or uint16.
Watch = Callable[[ImageFile, SourceImage, NDArray[np.unsignedinteger]], dict[str, Any]]


@dataclass(frozen=True)
class UpscaleRun:
    """Enlarges ``files`` by ``network`` into ``out``, one ``stem.FORMAT`` each (see `result_names`), subfolders kept.

    ``scale`` is the network's own or a whole fraction of it (None: its own). Grey images stay grey, transparency is enlarged bicubically.
    Raises `InputError` for settings that cannot be met.
    """

    network: Network
    files: Sequence[ImageFile]
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
        ours = {path.parts[0] for path in self.names.values()} & set(OWN_FOLDERS)
        if ours:
            raise InputError(
                f"a folder of images called {min(ours)!r} would be mixed up with what upscale writes there: rename it"
            )

    @cached_property
    def names(self) -> dict[ImageFile, PurePosixPath]:
        """Where each result goes, below ``out``."""
        return result_names(self.files, f".{self.format}")

    @cached_property
    def drawing_names(self) -> dict[ImageFile, PurePosixPath]:
        """Where a PNG drawn of each image goes, below the folder of such drawings."""
        return result_names(self.files, ".png")

    def target(self, file: ImageFile) -> Path:
        """Where an image's result goes."""
        return self.out / self.names[file]

    def done(self, parts: Path, progress: Progress, beside: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """The rows, by path, of images that an earlier run finished and whose results lie there; ``beside`` are folders with one more each.

        Raises `InputError` where an image of the earlier run is missing now, has changed, or would be written to another file, and where a
        result has changed.
        """
        by_path = {str(file.path): file for file in self.files}
        known = _earlier_rows(self.out / SUMMARY) | {
            row["path"]: row for part in parts.glob("*.json") for row in [read_json(part)]
        }
        before = [by_path.get(path) or ImageFile(Path(path), path, path) for path in known]
        new_images(before, self.files, str(self.out))
        progress.start("checking that images are the same", len(known))
        check_unchanged(before, [row["sha256"] for row in known.values()], str(self.out), progress.advance)
        found = {}
        for file, (path, row) in zip(before, known.items(), strict=True):
            place = self.target(file).relative_to(self.out)
            if row["out"] and Path(row["out"]).parts[-len(place.parts) :] != place.parts:
                raise InputError(
                    f"{file.path} was written to {row['out']}, and with the images given now it would be {place}: "
                    "give the same sources, --overwrite, or another --out"
                )
            drawn = [] if row["error"] else [self.out / folder / self.drawing_names[file] for folder in beside]
            if row["out"]:
                _check_result(self.target(file), row)
            if not row["out"] or all(one.is_file() for one in (self.target(file), *drawn)):
                found[path] = row
        return found

    def every(
        self,
        parts: Path,
        progress: Progress,
        watch: Watch | None = None,
        done: Mapping[str, dict[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """The row of every image: of those in ``done`` the row given there, else as `one` gives it, kept in ``parts``."""
        remove_stale_temp_files(map(self.target, self.files))
        rows = []
        for file in self.files:
            row = (done or {}).get(str(file.path))
            if row is None:
                row = self.one(file, progress, watch)
                name = blake2b(os.fsencode(file.path), digest_size=16).hexdigest()
                write_json(parts / f"{name}.json", row)
            rows.append(without_nan(row))
        if all(row["out"] is None for row in rows):
            # Whatever hindered all of them may be gone when the command is given again.
            for part in parts.iterdir():
                part.unlink()
        return rows

    def summarize(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Write ``out/upscale.json`` and return what it holds; `InputError` where no image could be enlarged."""
        if all(row["out"] is None for row in rows):
            raise InputError("no image could be enlarged: nothing is written")
        summary = {
            "out": str(self.out),
            "network": self.network.name,
            "scale": self.scale or self.network.scale,
            "images": rows,
        }
        write_json(self.out / SUMMARY, summary)
        return summary

    def one(self, file: ImageFile, progress: Progress, watch: Watch | None = None) -> dict[str, Any]:
        """The row of one image: what was written and its size, or the ``error``, one line. A full disk raises OSError."""
        row: dict[str, Any] = {"path": str(file.path), "sha256": digest_of(file)}
        row |= dict.fromkeys(("out", "out_sha256", "width", "height", "bits", "error"))
        step = "not enlarged"
        try:
            with local_copy(file.path) as path:
                original = read_source_image(path)
            height, width = original.color.shape[:2]
            scale, bits = self.scale or self.network.scale, original.bits if self.format == "png" else 8
            check_format(self.format, width * scale, height * scale, original.alpha is not None)
            progress.start(file.name, count_tiles(self.network, height, width, self.tile))
            made = enlarge(
                self.network, original.color, scale, alpha=original.alpha, bits=bits, tile=self.tile, overlap=self.overlap,
                precision=self.precision, advance=progress.advance,
            )  # fmt: skip
            write_image(self.target(file), made, original.metadata, self.format)
            row |= {"out": str(self.target(file)), "out_sha256": sha256(self.target(file))}
            row |= {"width": made.shape[1], "height": made.shape[0], "bits": bits}
            step = "enlarged, but not looked at further"
            return row | (watch(file, original, made) if watch else {})
        except InputError as error:
            return row | {"error": _named(file, str(error))}
        # Networks and images of strangers fail in any way; each costs its own row.
        except Exception as error:
            # A full disk is not the image's fault; Pillow's own complaints have no number.
            if isinstance(error, OSError) and error.errno:
                raise
            memory = isinstance(error, MemoryError) or "memory" in str(error)
            remedy = "; give a smaller --tile, or the image in parts" if memory else ""
            return row | {
                "error": _named(file, f"{step}: {printable(str(error))[:200] or type(error).__name__}{remedy}")
            }


def _check_result(path: Path, row: Mapping[str, Any]) -> None:
    """Raise `InputError` for a result that lies there and is not what was written; runs of earlier versions do not say what was."""
    if path.is_file() and row.get("out_sha256") not in (None, sha256(path)):
        raise InputError(
            f"{path} is not what was written (its SHA-256 is another): delete it and resume, or give --overwrite"
        )


def _named(file: ImageFile, text: str) -> str:
    return text if str(file.path) in text else f"{file.path}: {text}"


def earlier_results(out: Path) -> list[Path]:
    """The images that an earlier run wrote into ``out``, by its own account, and that lie there."""
    paths = [Path(row["out"]).resolve() for row in _earlier_rows(out / SUMMARY).values() if row["out"]]
    return [path for path in paths if path.is_relative_to(out.resolve())]


def _earlier_rows(summary: Path) -> dict[str, dict[str, Any]]:
    """The rows of a finished run by path; none where there is no summary that can be read."""
    try:
        return {row["path"]: row for row in read_json(summary)["images"] if {"sha256", "out", "error"} <= row.keys()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
