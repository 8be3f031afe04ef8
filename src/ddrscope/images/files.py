"""Finding image files."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ddrscope.errors import InputError
from ddrscope.images.image_file import ImageFile, photo_of
from ddrscope.images.naming import unique_names
from ddrscope.images.search import search
from ddrscope.images.skipped_files import SkippedFiles, image_suffixes

__all__ = ["ImageFile", "bundled_photos", "find_images"]

_logger = logging.getLogger("ddrscope")


def find_images(sources: str | Path | Sequence[str | Path]) -> list[ImageFile]:
    """Find image files.

    Folders and globs return the files with the suffix of an image: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL,
    .npy, and HEIC if its reader is installed; in upper or lower case. Skipped files (counted by type) and folders that
    cannot be read are logged as a warning. Each file is returned once, symbolic links included.

    Args:
        sources: One or several of the following. ``~`` and environment variables are expanded.

            - A folder: searched with its subfolders. Hidden files and folders are skipped, symbolic links followed.
            - A glob, as ``photos/*.png`` or ``photos/**/*.jpg``; folders that match are searched.
            - A URI, as ``s3://bucket/folder`` (see `ddrscope.images.remote`): searched like a folder.
            - A ``.txt`` or ``.lst`` file: a path or URI a line, relative to the folder of the list. Empty lines and
              lines that start with ``#`` are skipped. A missing file is reported when it is read.
            - Any other file: taken as an image.

    Returns:
        The files sorted by name. Names are relative to the source; if two sources have a name in common, parent folders
        are added until the names differ.

    Raises:
        InputError: A source does not exist or has no image.
    """
    depths: dict[Path | str, int] = {}
    for source in [sources] if isinstance(sources, str | Path) else sources:
        skipped = SkippedFiles()
        found = list(search(source, skipped))
        if not found:
            suffixes = ", ".join(sorted(image_suffixes()))
            raise InputError(f"no images in {source} (searched for {suffixes})" + (f": {skipped}" if skipped else ""))
        skipped.log(source)
        for path, depth in found:
            depths.setdefault(path, depth)
    unique = {os.path.realpath(path) if isinstance(path, Path) else path: path for path in reversed(depths)}.values()
    if len(unique) < len(depths):
        _logger.warning(
            "%d names are symbolic links to files that are found under other names too: each file is read once",
            len(depths) - len(unique),
        )
    files = [ImageFile(path, name, photo_of(name)) for path, name in unique_names(unique, depths).items()]
    return sorted(files, key=lambda file: file.name)


def bundled_photos() -> Path:
    """The folder of the bundled photographs: PNG crops of 256 x 256 pixels, and `credits.csv`."""
    return Path(__file__).resolve().parents[1] / "data" / "photos"
