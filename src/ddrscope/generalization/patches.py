"""Sets of patches: the same places of the same images under each degradation, and images that are degraded already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import Pipeline
from ddrscope.errors import InputError
from ddrscope.images import ImageFile, UnreadableImage, assign_photographs, find_images, grid_crops, read_image
from ddrscope.images.crops import share_out


@dataclass(frozen=True)
class PatchSet:
    """Patches (N, side, side, C) in 0..1 as the network gets them, and the photograph of each (N,)."""

    name: str
    patches: NDArray[np.float32]
    photos: NDArray[np.str_]


@dataclass(frozen=True)
class ScannedSource:
    """The images of a source by name without suffix, how many patches fit in each, down and across, and why others were left out."""

    files: dict[str, ImageFile]
    grids: dict[str, tuple[int, int]]
    skipped: dict[str, str]


@dataclass(frozen=True)
class PatchSource:
    """Where the patches of a set come from: images, how many patches of each, and why others were left out."""

    files: list[ImageFile]
    quotas: list[int]
    skipped: dict[str, str] = field(default_factory=dict)


def scan_source(
    sources: Sequence[str], side: int, scale: int, channels: int, photo_from: str = "prefix"
) -> ScannedSource:
    """The images of ``sources`` with room for patches of ``side`` pixels after shrinking by ``scale``; the others with the reason."""
    found = assign_photographs(find_images(list(sources)), photo_from)
    stems = Counter(_stem(file) for file in found)
    files, grids, skipped = {}, {}, {}
    for file in found:
        try:
            height, width = read_image(file, channels).pixels.shape[:2]
        except UnreadableImage as error:
            skipped[str(file.path)] = error.reason
            continue
        grid = height // scale // side, width // scale // side
        if min(grid):
            # Two that differ in their suffix only keep it.
            key = _stem(file) if stems[_stem(file)] == 1 else file.name
            files[key], grids[key] = file, grid
        else:
            skipped[str(file.path)] = f"{width} x {height} pixels: no room for a patch of {side * scale}"
    return ScannedSource(files, grids, skipped)


def choose_patches(source: ScannedSource, names: Sequence[str], count: int) -> PatchSource:
    """``count`` patches of the images called ``names``, shared out equally as far as they have room."""
    room = [down * across for down, across in map(source.grids.__getitem__, names)]
    return PatchSource([source.files[name] for name in names], share_out(room, count), source.skipped)


def find_source(sources: Sequence[str], side: int, scale: int, channels: int, count: int) -> PatchSource:
    """All images of ``sources`` with their numbers of patches, as `scan_source` and `choose_patches` give them."""
    scanned = scan_source(sources, side, scale, channels)
    return choose_patches(scanned, list(scanned.files), count)


def group_by_images(sources: Mapping[str, ScannedSource]) -> list[list[str]]:
    """The names of the sources, those together that show the same images: at least half of the smaller's names are the other's."""
    groups: list[list[str]] = []
    for name, source in sources.items():
        for group in groups:
            first = sources[group[0]]
            if 2 * len(first.files.keys() & source.files.keys()) >= max(1, min(len(first.files), len(source.files))):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def common_images(sources: Sequence[ScannedSource]) -> list[str]:
    """The names of the images that all ``sources`` have, with patches at the same places."""
    first, *others = sources
    return [name for name, grid in first.grids.items() if all(other.grids.get(name) == grid for other in others)]


def _stem(file: ImageFile) -> str:
    return PurePosixPath(file.name).with_suffix("").as_posix()


def cut_degraded(source: PatchSource, pipeline: Pipeline, side: int, scale: int, channels: int, seed: int) -> PatchSet:
    """The patches of clean images under a degradation; the whole image is degraded and shrunk, then cut."""

    def degraded(file: ImageFile) -> NDArray[np.float32]:
        image = read_image(file, channels)
        return pipeline.apply(image.pixels, seed, scale, image.bits)

    return _cut(pipeline.text, source, degraded, side)


def cut_as_they_are(name: str, source: PatchSource, side: int, channels: int) -> PatchSet:
    """The patches of images that are degraded already, at the size they have."""
    return _cut(name, source, lambda file: read_image(file, channels).pixels, side)


def _cut(name: str, source: PatchSource, pixels_of: Callable[[ImageFile], NDArray[np.float32]], side: int) -> PatchSet:
    patches: list[NDArray[np.float32]] = []
    photos: list[str] = []
    for file, quota in zip(source.files, source.quotas, strict=True):
        if quota:
            patches += [patch.copy() for patch in grid_crops(pixels_of(file), side, quota, file.name)]
            photos += [file.photo] * quota
    if not patches:
        first = next(iter(source.skipped.items()), ("", "there are no images"))
        raise InputError(f"set {name}: no patches: {': '.join(filter(None, first))}")
    return PatchSet(name, np.stack(patches), np.array(photos))
