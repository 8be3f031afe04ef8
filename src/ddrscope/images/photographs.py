"""Which images show the same photograph: intervals and held-out accuracy count photographs, not images."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ddrscope.errors import InputError, printable
from ddrscope.images.decoding import open_image
from ddrscope.images.files import ImageFile, photo_of
from ddrscope.images.remote import local_copy

PREFIX, NAME, FOLDER, EXIF = "prefix", "name", "folder", "exif"
RULES = {
    PREFIX: "by their names up to a double underscore",
    NAME: "by their whole names",
    FOLDER: "by their folders",
    EXIF: "by their EXIF data",
}
# Fewer photographs give no interval.
FEWEST = 3
_EXIF_IFD, _UNIQUE_ID, _TAKEN, _FRACTION, _SERIAL, _MAKE, _MODEL = (
    0x8769,
    0xA420,
    0x9003,
    0x9291,
    0xA431,
    0x010F,
    0x0110,
)


def check_photo_from(rule: str) -> str:
    """The rule in lower case; raises `InputError` for an unknown one."""
    if rule.lower() not in RULES:
        raise InputError(f"--photo-from {rule} is unknown: choose {', '.join(RULES)}")
    return rule.lower()


def assign_photographs(files: Sequence[ImageFile], rule: str = PREFIX) -> list[ImageFile]:
    """The same files, each with the photograph that it belongs to by ``rule``, a key of `RULES`.

    ``prefix`` is what `find_images` gives. ``exif`` takes the camera's unique image number, else camera and time of exposure; a file
    without them is a photograph by its name up to a double underscore. Raises `InputError` for ``exif`` where no file has it.
    """
    if rule == NAME:
        return [dataclasses.replace(file, photo=_whole(file.name)) for file in files]
    if rule == FOLDER:
        return [dataclasses.replace(file, photo=_folder(file)) for file in files]
    if rule == EXIF:
        taken = [_taken(file) for file in files]
        if not any(taken):
            raise InputError(
                f"--photo-from exif: no image beside {files[0].path} says when it was taken: give prefix, name or folder"
            )
        return [dataclasses.replace(file, photo=photo or file.photo) for file, photo in zip(files, taken, strict=True)]
    return list(files)


def photograph_of(name: str, rule: str = PREFIX) -> str:
    """The photograph of an image of which only the name is known: `assign_photographs` for all rules but ``exif``."""
    file = ImageFile(name, name, photo_of(name))
    return _parent(name) if rule == FOLDER else assign_photographs([file], rule)[0].photo


def photograph_notes(photos: Mapping[str, str], rule: str) -> list[str]:
    """What is to be said of a sample whose images belong to ``photos``: few photographs, or one that most images belong to."""
    counts = Counter(photos.values())
    (largest, most), images = counts.most_common(1)[0], len(photos)
    notes = []
    if len(counts) < images and (len(counts) < 5 or most > images / 2):
        other = ", ".join(other for other in RULES if other not in (rule, PREFIX))
        notes.append(
            f"{images} images count as {len(counts)} photograph{'s' * (len(counts) > 1)} {RULES[rule]} ({most} of them as {largest!r}); "
            f"if they show different photographs, give --photo-from {other}."
        )
    if len(counts) < FEWEST:
        notes.append(
            f"{len(counts)} photograph{'s' * (len(counts) > 1)}: intervals need {FEWEST} or more, so there are none"
            + (", and no accuracy on held-out photographs." if len(counts) == 1 else ".")
        )
    return notes


def _folder(file: ImageFile) -> str:
    # Below its source a folder goes by its path there; images right in a source by the name of that folder.
    parent = _parent(file.name)
    return parent if parent != "." else printable(PurePosixPath(str(file.path)).parent.name) or "."


def _whole(name: str) -> str:
    # Without the suffix: sets of one image may be files of several formats.
    return PurePosixPath(name).with_suffix("").as_posix()


def _parent(name: str) -> str:
    return PurePosixPath(name).parent.as_posix()


def _taken(file: ImageFile) -> str | None:
    """Camera and time of an exposure; None where the file does not say."""
    try:
        with local_copy(file.path) as path, open_image(Path(path)) as image:
            main = image.getexif()
            exif: dict[int, Any] = {**main, **main.get_ifd(_EXIF_IFD)}
    # EXIF may be anything; whatever is wrong with it, the image goes by its name.
    except Exception:
        return None
    if exif.get(_UNIQUE_ID):
        return printable(str(exif[_UNIQUE_ID]))[:200]
    if not exif.get(_TAKEN):
        return None
    parts = (exif.get(tag) for tag in (_TAKEN, _FRACTION, _MAKE, _MODEL, _SERIAL))
    return printable(" ".join(str(part) for part in parts if part))[:200]
