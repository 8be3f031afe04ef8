"""Sets of patches: the same places of the same pictures under each degradation, and pictures that are degraded already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import Pipeline
from ddrscope.errors import InputError
from ddrscope.images import PictureFile, UnreadablePicture, assign_photographs, find_pictures, grid_crops, read_picture
from ddrscope.images.crops import share_out


@dataclass(frozen=True)
class PatchSet:
    """Patches (N, side, side, C) in 0..1 as the network gets them, and the photograph of each (N,)."""

    name: str
    patches: NDArray[np.float32]
    photos: NDArray[np.str_]


@dataclass
class PatchSource:
    """Where the patches of a set come from: pictures, how many patches of each, and why others were left out."""

    files: list[PictureFile]
    quotas: list[int]
    skipped: dict[str, str] = field(default_factory=dict)


def find_source(
    sources: Sequence[str], side: int, scale: int, channels: int, count: int, photo_from: str = "prefix"
) -> PatchSource:
    """The pictures of ``sources`` with their numbers of patches of ``side`` pixels after shrinking by ``scale``.

    Pictures that cannot be read or have no room for a patch are left out, with the reason.
    """
    files, room, skipped = [], [], {}
    for file in assign_photographs(find_pictures(list(sources)), photo_from):
        try:
            height, width = read_picture(file, channels).pixels.shape[:2]
        except UnreadablePicture as error:
            skipped[str(file.path)] = error.reason
        else:
            if places := (height // scale // side) * (width // scale // side):
                files.append(file)
                room.append(places)
            else:
                skipped[str(file.path)] = f"{width} x {height} pixels: no room for a patch of {side * scale}"
    return PatchSource(files, share_out(room, count), skipped)


def cut_degraded(source: PatchSource, pipeline: Pipeline, side: int, scale: int, channels: int, seed: int) -> PatchSet:
    """The patches of clean pictures under a degradation; the whole picture is degraded and shrunk, then cut."""

    def degraded(file: PictureFile) -> NDArray[np.float32]:
        picture = read_picture(file, channels)
        return pipeline.apply(picture.pixels, seed, scale, picture.bits)

    return _cut(pipeline.text, source, degraded, side)


def cut_as_they_are(name: str, source: PatchSource, side: int, channels: int) -> PatchSet:
    """The patches of pictures that are degraded already, at the size they have."""
    return _cut(name, source, lambda file: read_picture(file, channels).pixels, side)


def _cut(name: str, source: PatchSource, pixels_of: Callable[[PictureFile], NDArray[np.float32]], side: int) -> PatchSet:
    patches: list[NDArray[np.float32]] = []
    photos: list[str] = []
    for file, quota in zip(source.files, source.quotas, strict=True):
        if quota:
            patches += [patch.copy() for patch in grid_crops(pixels_of(file), side, quota, file.name)]
            photos += [file.photo] * quota
    if not patches:
        first = next(iter(source.skipped.items()), ("", "there are no pictures"))
        raise InputError(f"set {name}: no patches: {': '.join(filter(None, first))}")
    return PatchSet(name, np.stack(patches), np.array(photos))

