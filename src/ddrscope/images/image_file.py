"""An image file and its names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath


@dataclass(frozen=True)
class ImageFile:
    """An image file.

    Unprintable characters are written as escapes in ``name`` and ``photo``, and very long names are cut: they appear in
    tables and on terminals, and output files are named after them.

    Attributes:
        path: Where the file is: a `Path`, or the URI of an object in a store as a `str`.
        name: Unique posix path below the source in which it was found.
        photo: The photograph that it shows. Crops of one photograph share it: the name up to a double underscore
            (``astronaut__2.png`` is a crop of ``astronaut``), else the name without suffix; with the folder in both
            cases.
    """

    path: Path | str
    name: str
    photo: str


def photo_of(name: str) -> str:
    """The photograph that the image of this name shows: the name up to a double underscore, else without suffix."""
    folder, slash, last = name.rpartition("/")
    stem = PurePath(last).stem
    return folder + slash + (stem.split("__")[0] or stem)
