"""Makes the set of photographs: what is there and right is kept, the rest is read, checked and written."""

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
from photos.duplicates import BUNDLED, Pair, near_duplicates, perceptual_hash
from photos.pixels import pixel_sha256, reduce, stored_image
from photos.table import Photograph

MANIFEST = "manifest.csv"
# Of the manifest.
COLUMNS = ("file", "split", "tier", "licence", "source", "sha256")


class Source(Protocol):
    """Reads photographs as they lie in their source, with the steps that are still to do."""

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]: ...


@dataclass
class Made:
    """The photographs that are there and right, with their perceptual hashes; how many were made; the files of each reason to fail."""

    present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    made: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)

    def fail(self, photograph: Photograph, reason: str) -> None:
        # A repository that cannot be reached is one line, not one for each of its photographs.
        self.failed.setdefault(reason, []).append(photograph.file)

    def complaints(self) -> list[str]:
        """A line for each reason, naming the first file."""
        lines = []
        for reason, files in self.failed.items():
            others = f" and {len(files) - 1} more" if len(files) > 1 else ""
            lines.append(f"{files[0]}{others}: {reason}")
        return lines


def check_present(photographs: Iterable[Photograph], out: Path, made: Made) -> list[Photograph]:
    """Those that must be made; the others are noted in ``made``."""
    missing = []
    for photograph in photographs:
        image = stored_image(out / photograph.file)
        if image is None or pixel_sha256(image) != photograph.sha256:
            missing.append(photograph)
        else:
            made.present[photograph.file] = perceptual_hash(image)
    return missing


def make(photographs: Iterable[Photograph], out: Path, source_of: Callable[[Photograph], Source], made: Made) -> None:
    """Read, reduce, check and write photographs; one that fails does not stop the others."""
    for photograph in photographs:
        try:
            image, steps = source_of(photograph).read(photograph)
            image = reduce(image, steps)
        except InputError as error:
            made.fail(photograph, str(error))
            continue
        except (OSError, ValueError, SyntaxError, IndexError) as error:
            made.fail(
                photograph,
                f"{_origin(photograph)} cannot be read as an image ({printable(str(error))}): get that file again",
            )
            continue
        found = pixel_sha256(image)
        if found != photograph.sha256:
            made.fail(
                photograph,
                f"pixels of {_origin(photograph)} have SHA-256 {found[:12]}..., not {photograph.sha256[:12]}...: get the version that the "
                "table names, and Pillow as pinned in constraints.txt",
            )
            continue
        with atomic_write(out / photograph.file) as temporary:
            image.save(temporary, "PNG", compress_level=1)
        made.present[photograph.file] = perceptual_hash(image)
        made.made += 1


def _origin(photograph: Photograph) -> str:
    return f"{photograph.source}@{photograph.version}:{photograph.path}"


def remove_near_duplicates(
    photographs: Sequence[Photograph], bundled: Sequence[Path], out: Path, made: Made
) -> list[tuple[str, str, Pair]]:
    """Remove near-duplicates from the set by the rule of `near_duplicates`; all pairs found, with their names."""
    inside = [photograph for photograph in photographs if photograph.file in made.present]
    names = [f"{BUNDLED}/{path.name}" for path in bundled] + [photograph.file for photograph in inside]
    splits = [BUNDLED] * len(bundled) + [photograph.split for photograph in inside]
    if not names:
        return []
    hashes = [perceptual_hash(Image.open(path)) for path in bundled] + [
        made.present[photograph.file] for photograph in inside
    ]
    pairs = near_duplicates(np.array(hashes), splits)
    for index in {pair.removed for pair in pairs if pair.removed is not None}:
        (out / names[index]).unlink(missing_ok=True)
        made.present.pop(names[index], None)
    return [(names[pair.first], names[pair.second], pair) for pair in pairs]


def write_manifest(photographs: Iterable[Photograph], out: Path, made: Made) -> int:
    """List what is there and right; returns how many."""
    rows = [photograph for photograph in photographs if photograph.file in made.present]
    with atomic_write(out / MANIFEST) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow((row.file, row.split, row.tier, row.licence, _origin(row), row.sha256))
    return len(rows)
