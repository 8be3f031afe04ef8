"""What a search skips: files by type, counted and listed with the remedy, and folders that cannot be read."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path, PurePath

from ddrscope.errors import printable
from ddrscope.images.camera_raw import RAW_SUFFIXES
from ddrscope.images.modern_formats import HEIF_SUFFIXES, INSTALL_HEIC, is_heif_readable

IMAGE_SUFFIXES = frozenset(".png .jpg .jpeg .jfif .jpe .webp .tif .tiff .bmp .gif .avif .jxl .npy".split())
# Files that are usually kept beside images: lists, tables, notes, sidecar files of cameras and of systems.
_COMPANION_SUFFIXES = frozenset(
    ".txt .lst .csv .tsv .json .jsonl .yaml .yml .toml .xml .xmp .md .rst .html .css .js .pdf .parquet .py .ipynb .log .aae .thm .ini .db "
    ".zip .tar .gz .sha256 .md5 .pth .pt .safetensors".split()
)
# Further types are only counted: there may be any number of them.
_MAX_LISTED_TYPES = 12
_logger = logging.getLogger("ddrscope")


def image_suffixes() -> frozenset[str]:
    """The suffixes, in lower case, of the files that are found in folders and by globs."""
    return IMAGE_SUFFIXES | HEIF_SUFFIXES if is_heif_readable() else IMAGE_SUFFIXES


class SkippedFiles:
    """Counts the files that a search skips, by type, and the folders that it cannot read."""

    def __init__(self) -> None:
        self._count_of: Counter[str] = Counter()
        self._unreadable_folders: list[OSError] = []

    def __bool__(self) -> bool:
        """Whether anything was skipped."""
        return bool(self._count_of or self._unreadable_folders)

    def accepts(self, path: Path | str) -> bool:
        """Whether a file has the suffix of an image. Others are counted, except those usually kept beside images."""
        suffix = PurePath(path).suffix.lower()
        if suffix in image_suffixes():
            return True
        if suffix not in _COMPANION_SUFFIXES:
            self._count_of[suffix] += 1
        return False

    def add_unreadable_folder(self, error: OSError) -> None:
        """Add a folder whose files cannot be listed."""
        self._unreadable_folders.append(error)

    def log(self, source: Path | str) -> None:
        """Log one warning if anything was skipped in ``source``."""
        if self:
            _logger.warning("%s: %s", printable(str(source)), self)

    def __str__(self) -> str:
        """As ``12 files skipped: 9 .cr2 (...), 2 .heic (...), 1 .jp2 (...); 1 folder skipped: ...``."""
        return "; ".join(filter(None, (self._describe_files(), self._describe_folders())))

    def _describe_folders(self) -> str:
        if not self._unreadable_folders:
            return ""
        first, count = self._unreadable_folders[0], len(self._unreadable_folders)
        folders = f"{count} folders" if count > 1 else "1 folder"
        return f"{folders} skipped, as {printable(str(first.filename))} ({first.strerror}): give read permission"

    def _describe_files(self) -> str:
        if not self._count_of:
            return ""
        by_remedy: dict[str, list[str]] = {}
        for suffix, count in self._count_of.most_common(_MAX_LISTED_TYPES):
            by_remedy.setdefault(_remedy(suffix), []).append(f"{count} {printable(suffix)[:20] or 'without suffix'}")
        parts = [f"{', '.join(names)} ({remedy})" for remedy, names in by_remedy.items()]
        if len(self._count_of) > _MAX_LISTED_TYPES:
            parts.append(f"and {len(self._count_of) - _MAX_LISTED_TYPES} more types")
        total = self._count_of.total()
        return f"{total} file{'s' * (total != 1)} skipped: {', '.join(parts)}"


def _remedy(suffix: str) -> str:
    if suffix in RAW_SUFFIXES:
        return "raw: develop to TIFF or PNG"
    if suffix in HEIF_SUFFIXES:
        return INSTALL_HEIC
    return (
        "unsupported type: if they are images, convert them to PNG"
        if suffix
        else "if they are images, give them a suffix"
    )
