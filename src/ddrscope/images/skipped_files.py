"""What a search passes over: files by their type, counted and named with the remedy, and folders that cannot be entered."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path, PurePath

from ddrscope.errors import printable
from ddrscope.images.camera_raw import RAW_SUFFIXES
from ddrscope.images.modern_formats import HEIF_SUFFIXES, INSTALL_HEIC, reads_heif

IMAGE_SUFFIXES = frozenset(".png .jpg .jpeg .jfif .jpe .webp .tif .tiff .bmp .gif .avif .jxl .npy".split())
# What lies beside images and is none: lists, tables, notes, side files of cameras and of systems.
_COMPANIONS = frozenset(
    ".txt .lst .csv .tsv .json .jsonl .yaml .yml .toml .xml .xmp .md .rst .html .css .js .pdf .parquet .py .ipynb .log .aae .thm .ini .db "
    ".zip .tar .gz .sha256 .md5 .pth .pt .safetensors".split()
)
# More types than these are summed up: names of suffixes are anybody's.
_NAMED = 12
_logger = logging.getLogger("ddrscope")


def image_suffixes() -> frozenset[str]:
    """The suffixes of the files that folders and globs give, in small letters; HEIC where its reader is installed."""
    return IMAGE_SUFFIXES | HEIF_SUFFIXES if reads_heif() else IMAGE_SUFFIXES


class LeftOut:
    """The types that a search through one source passed over, with their numbers, and the folders that it could not enter."""

    def __init__(self) -> None:
        self._count_of: Counter[str] = Counter()
        self._closed: list[OSError] = []

    def takes(self, path: Path | str) -> bool:
        """Whether a found file is of a type that is read; one that is not is counted, unless it is no image but lies beside some."""
        suffix = PurePath(path).suffix.lower()
        if suffix in image_suffixes():
            return True
        if suffix not in _COMPANIONS:
            self._count_of[suffix] += 1
        return False

    def cannot_enter(self, error: OSError) -> None:
        """Note a folder whose files cannot be listed."""
        self._closed.append(error)

    def __str__(self) -> str:
        """As `12 files left out: 9 .cr2 (...), 2 .heic (...), 1 .jp2 (...)`, then the folders; empty where nothing was."""
        return "; ".join(filter(None, (self._files(), self._folders())))

    def _folders(self) -> str:
        if not self._closed:
            return ""
        first, count = self._closed[0], len(self._closed)
        what = f"{count} folders" if count > 1 else "1 folder"
        return f"{what} left out, as {printable(str(first.filename))} ({first.strerror}): permit reading, if images are in there"

    def _files(self) -> str:
        if not self._count_of:
            return ""
        kinds: dict[str, list[str]] = {}
        for suffix, count in self._count_of.most_common(_NAMED):
            kinds.setdefault(_remedy(suffix), []).append(f"{count} {printable(suffix)[:20] or 'without suffix'}")
        more = len(self._count_of) - _NAMED
        parts = [f"{', '.join(names)} ({remedy})" for remedy, names in kinds.items()]
        total = self._count_of.total()
        return (
            f"{total} file{'s' * (total != 1)} left out: "
            + ", ".join(parts)
            + (f", and {more} more types" if more > 0 else "")
        )

    def report(self, source: Path | str) -> None:
        """Log one warning, which the command prints on stderr, unless nothing was left out."""
        if text := str(self):
            _logger.warning("%s: %s", printable(str(source)), text)


def _remedy(suffix: str) -> str:
    if suffix in RAW_SUFFIXES:
        return "raw: develop to TIFF or PNG"
    if suffix in HEIF_SUFFIXES:
        return INSTALL_HEIC
    return (
        "of no type that is read: if they are images, convert them to PNG"
        if suffix
        else "give them a suffix, if they are images"
    )
