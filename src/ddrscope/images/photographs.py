"""Which images show the same photograph. Confidence intervals and held-out accuracy count photographs, not images."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ddrscope.errors import InputError, printable
from ddrscope.images.decoding import open_image
from ddrscope.images.image_file import ImageFile, photo_of
from ddrscope.images.remote import local_copy

PREFIX, NAME, FOLDER, EXIF = "prefix", "name", "folder", "exif"
# The rules by which images belong to photographs, and their description in messages.
PHOTO_RULES = {
    PREFIX: "by their names up to a double underscore",
    NAME: "by their whole names",
    FOLDER: "by their folders",
    EXIF: "by their EXIF data",
}
# The smallest number of photographs for a confidence interval.
MIN_PHOTOS = 3
# With fewer photographs than this, or more than half of the images in one, the rule is probably the wrong one.
_FEW_PHOTOS = 5
_EXIF_IFD, _IMAGE_UNIQUE_ID, _DATE_TIME_ORIGINAL, _SUBSEC_TIME_ORIGINAL = 0x8769, 0xA420, 0x9003, 0x9291
_BODY_SERIAL_NUMBER, _MAKE, _MODEL = 0xA431, 0x010F, 0x0110


def check_photo_from(rule: str) -> str:
    """The rule in lower case. Raises `InputError` for an unknown one."""
    if rule.lower() not in PHOTO_RULES:
        raise InputError(f"`photo_from`={rule} is unknown: choose {', '.join(PHOTO_RULES)}")
    return rule.lower()


def assign_photographs(files: Sequence[ImageFile], rule: str = PREFIX) -> list[ImageFile]:
    """Assign each image to a photograph.

    Args:
        files: Images as `find_images` returns them.
        rule: A key of `PHOTO_RULES`. ``prefix``: the name up to a double underscore. ``name``: the whole name without
            suffix. ``folder``: the folder. ``exif``: the camera's unique image number, else camera and time of
            exposure; an image without them belongs to a photograph by ``prefix``.

    Returns:
        The files with their ``photo`` set.

    Raises:
        InputError: The rule is ``exif`` and no image has EXIF data.
    """
    if rule == NAME:
        return [dataclasses.replace(file, photo=_without_suffix(file.name)) for file in files]
    if rule == FOLDER:
        return [dataclasses.replace(file, photo=folder_of(file)) for file in files]
    if rule == EXIF:
        exposures = [_exposure(file) for file in files]
        if not any(exposures):
            raise InputError(
                f"`photo_from`=exif: neither {files[0].path} nor any other image has a time of exposure: "
                "give prefix, name or folder"
            )
        return [
            dataclasses.replace(file, photo=exposure or file.photo)
            for file, exposure in zip(files, exposures, strict=True)
        ]
    return list(files)


def photograph_of(name: str, rule: str = PREFIX) -> str:
    """The photograph of an image of which only the name is known, by any rule but ``exif``."""
    file = ImageFile(name, name, photo_of(name))
    return _parent(name) if rule == FOLDER else assign_photographs([file], rule)[0].photo


def photograph_notes(photos: Mapping[str, str], rule: str) -> list[str]:
    """Warnings about a sample of few photographs, or with one photograph that most images belong to.

    Args:
        photos: The photograph of each image, by the image's name.
        rule: The rule by which they were assigned.
    """
    counts = Counter(photos.values())
    (largest, most), images = counts.most_common(1)[0], len(photos)
    notes = []
    if len(counts) < images and (len(counts) < _FEW_PHOTOS or most > images / 2):
        others = ", ".join(other for other in PHOTO_RULES if other not in (rule, PREFIX))
        notes.append(
            f"{images} images count as {len(counts)} photograph{'s' * (len(counts) > 1)} {PHOTO_RULES[rule]} "
            f"({most} of them as {largest!r}); if they show different photographs, give `photo_from`={others}."
        )
    if len(counts) < MIN_PHOTOS:
        notes.append(
            f"{len(counts)} photograph{'s' * (len(counts) > 1)}: confidence intervals need {MIN_PHOTOS} or more, "
            "so there are none" + (", and no accuracy on held-out photographs." if len(counts) == 1 else ".")
        )
    return notes


def folder_of(file: ImageFile) -> str:
    """The folder that an image lies in, below its source; the name of the source for images directly in it."""
    # Images directly in a source have no folder in their name: they take the name of the source.
    parent = _parent(file.name)
    return parent if parent != "." else printable(PurePosixPath(str(file.path)).parent.name) or "."


def _without_suffix(name: str) -> str:
    # Versions of one photograph may be files of several formats.
    return PurePosixPath(name).with_suffix("").as_posix()


def _parent(name: str) -> str:
    return PurePosixPath(name).parent.as_posix()


def _exposure(file: ImageFile) -> str | None:
    """Camera and time of an exposure; None if the file does not have them."""
    try:
        with local_copy(file.path) as path, open_image(Path(path)) as image:
            main = image.getexif()
            exif: dict[int, Any] = {**main, **main.get_ifd(_EXIF_IFD)}
    # Crafted EXIF raises exceptions of many types. The image is then assigned by its name.
    except Exception:
        return None
    if exif.get(_IMAGE_UNIQUE_ID):
        return printable(str(exif[_IMAGE_UNIQUE_ID]))[:200]
    if not exif.get(_DATE_TIME_ORIGINAL):
        return None
    tags = (_DATE_TIME_ORIGINAL, _SUBSEC_TIME_ORIGINAL, _MAKE, _MODEL, _BODY_SERIAL_NUMBER)
    values = (exif.get(tag) for tag in tags)
    return printable(" ".join(str(value) for value in values if value))[:200]
