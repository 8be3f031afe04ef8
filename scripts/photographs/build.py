"""Writes the set of photographs: valid files are kept, the others are read from their source, checked and written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddrscope.errors import InputError, printable
from ddrscope.io.files import atomic_write
from scripts.photographs.duplicates import BUNDLED, Pair, near_duplicates, perceptual_hash
from scripts.photographs.pixels import pixel_sha256, reduce, stored_image
from scripts.photographs.table import Photograph

MANIFEST = "manifest.csv"
MANIFEST_COLUMNS = ("file", "split", "tier", "licence", "source", "sha256")


class Source(Protocol):
    """Reads photographs from their source. Returns the image and the steps that remain to be applied."""

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]: ...


@dataclass
class Preparation:
    """Progress of a run: perceptual hashes of the valid files, the number of files written, and the files of each failure."""

    present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    written: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, photograph: Photograph, reason: str) -> None:
        # An unreachable repository is reported once, not once for each of its photographs.
        self.failed.setdefault(reason, []).append(photograph.file)

    def complaints(self) -> list[str]:
        """One line per reason, with the name of the first file."""
        lines = []
        for reason, files in self.failed.items():
            others = f" and {len(files) - 1} more" if len(files) > 1 else ""
            lines.append(f"{files[0]}{others}: {reason}")
        return lines


def check_present(photographs: Iterable[Photograph], out: Path, preparation: Preparation) -> list[Photograph]:
    """Returns the photographs without a valid file; the hashes of the others are added to ``preparation.present``."""
    missing = []
    for photograph in photographs:
        image = stored_image(out / photograph.file)
        if image is None or pixel_sha256(image) != photograph.sha256:
            missing.append(photograph)
        else:
            preparation.present[photograph.file] = perceptual_hash(image)
    return missing


def make(
    photographs: Iterable[Photograph], out: Path, source_of: Callable[[Photograph], Source], preparation: Preparation
) -> None:
    """Read, reduce, check and write photographs. A failure does not stop the others."""
    for photograph in photographs:
        try:
            image, steps = source_of(photograph).read(photograph)
            image = reduce(image, steps)
        except InputError as error:
            preparation.fail(photograph, str(error))
            continue
        except (OSError, ValueError, SyntaxError, IndexError) as error:
            preparation.fail(
                photograph,
                f"{_origin(photograph)} cannot be read as an image ({printable(str(error))}): download that file again",
            )
            continue
        digest = pixel_sha256(image)
        if digest != photograph.sha256:
            preparation.fail(
                photograph,
                f"the pixels of {_origin(photograph)} have SHA-256 {digest[:12]}..., not {photograph.sha256[:12]}...: use the version "
                "that the table names, and the Pillow version of constraints.txt",
            )
            continue
        with atomic_write(out / photograph.file) as temporary:
            image.save(temporary, "PNG", compress_level=1)
        preparation.present[photograph.file] = perceptual_hash(image)
        preparation.written += 1


def _origin(photograph: Photograph) -> str:
    return f"{photograph.source}@{photograph.version}:{photograph.path}"


def remove_near_duplicates(
    photographs: Sequence[Photograph], bundled: Sequence[Path], out: Path, preparation: Preparation
) -> list[tuple[str, str, Pair]]:
    """Delete near-duplicates from the set by the rule of `near_duplicates`. Returns all pairs with their file names."""
    present = [photograph for photograph in photographs if photograph.file in preparation.present]
    names = [f"{BUNDLED}/{path.name}" for path in bundled] + [photograph.file for photograph in present]
    splits = [BUNDLED] * len(bundled) + [photograph.split for photograph in present]
    if not names:
        return []
    hashes = [perceptual_hash(Image.open(path)) for path in bundled] + [
        preparation.present[photograph.file] for photograph in present
    ]
    pairs = near_duplicates(np.array(hashes), splits)
    for index in {pair.removed for pair in pairs if pair.removed is not None}:
        (out / names[index]).unlink(missing_ok=True)
        preparation.present.pop(names[index], None)
    return [(names[pair.first], names[pair.second], pair) for pair in pairs]


def write_manifest(photographs: Iterable[Photograph], out: Path, preparation: Preparation) -> int:
    """Write the list of valid files. Returns their number."""
    rows = [photograph for photograph in photographs if photograph.file in preparation.present]
    with atomic_write(out / MANIFEST) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(MANIFEST_COLUMNS)
        for row in rows:
            writer.writerow((row.file, row.split, row.tier, row.licence, _origin(row), row.sha256))
    return len(rows)
