"""Names of files that are made one for each image."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from ddrscope.images.files import ImageFile


def result_names(files: Sequence[ImageFile], suffix: str) -> dict[ImageFile, PurePosixPath]:
    """The relative path of each image's result: its name with ``suffix`` (as ``.png``) in place of its own.

    Where two would have the same (IMG_1.jpg and IMG_1.png), also on a disk that does not tell capitals from small letters or the two
    ways to write an accent, each keeps its own suffix too: IMG_1.jpg.png and IMG_1.png.png. So does one that would be called as a folder of
    others.
    """
    short = {file: PurePosixPath(file.name).with_suffix(suffix) for file in files}
    long = {file: PurePosixPath(file.name + suffix) for file in files}
    names = dict(short)
    while True:
        count_of = Counter(map(_on_any_disk, names.values()))
        count_of.update({_on_any_disk(folder) for name in names.values() for folder in name.parents})
        # A longer name may be the short one of a third image.
        clashing = [file for file, name in names.items() if count_of[_on_any_disk(name)] > 1 and name != long[file]]
        if not clashing:
            return names
        names.update({file: long[file] for file in clashing})


def _on_any_disk(name: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold())
