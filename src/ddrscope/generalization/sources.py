"""Where patches come from: the images of a source, how many patches fit in each, and which sources show the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ddrscope.batch.inputs import find_inputs
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.images import ImageFile, UnreadableImage, assign_photographs
from ddrscope.images.crops import distribute


@dataclass(frozen=True)
class ScannedSource:
    """The readable images of a source.

    Args:
        files: Images that are large enough for a patch, by their name without suffix.
        grids: How many patches fit in each, down and across.
        skipped: Why others were left out, by path.
    """

    files: Mapping[str, ImageFile]
    grids: Mapping[str, tuple[int, int]]
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class PatchSource:
    """The images that patches are cut from, and the number of patches of each, 1 or more."""

    files: tuple[ImageFile, ...]
    quotas: tuple[int, ...]

    @property
    def patches(self) -> int:
        """The number of patches."""
        return sum(self.quotas)

    @property
    def photos(self) -> list[str]:
        """The photograph of each patch."""
        return [file.photo for file, quota in zip(self.files, self.quotas, strict=True) for _ in range(quota)]


def scan_source(
    sources: Sequence[str],
    side: int,
    scale: int,
    images: DecodedImages,
    photo_from: str = "prefix",
    outputs: Sequence[Path] = (),
) -> ScannedSource:
    """Find the images of a source and count the patches that fit in each.

    Args:
        sources: Folders, globs, lists or files.
        side: Side of a patch in pixels, after shrinking.
        scale: Factor by which the images are shrunk.
        images: Reads the images.
        photo_from: The rule by which images belong to photographs.
        outputs: Files and folders that the run writes, whose images are left out.
    """
    candidates = assign_photographs(find_inputs(sources, outputs), photo_from)
    stems = Counter(_stem(file) for file in candidates)
    files, grids, skipped = {}, {}, {}
    for file in candidates:
        try:
            height, width = images.read(file).pixels.shape[:2]
        except UnreadableImage as error:
            skipped[str(file.path)] = error.reason
            continue
        grid = height // scale // side, width // scale // side
        if min(grid):
            # Files that differ in their suffix only keep it.
            key = _stem(file) if stems[_stem(file)] == 1 else file.name
            files[key], grids[key] = file, grid
        else:
            skipped[str(file.path)] = f"{width} x {height} pixels: too small for a patch of {side * scale}"
    return ScannedSource(files, grids, skipped)


def choose_patches(source: ScannedSource, names: Sequence[str], count: int) -> PatchSource:
    """Distribute ``count`` patches over the images called ``names`` as evenly as possible."""
    capacities = [source.grids[name][0] * source.grids[name][1] for name in names]
    quotas = distribute(capacities, count)
    chosen = [(source.files[name], quota) for name, quota in zip(names, quotas, strict=True) if quota]
    return PatchSource(tuple(file for file, _ in chosen), tuple(quota for _, quota in chosen))


def group_by_images(sources: Mapping[str, ScannedSource]) -> list[list[str]]:
    """Group the sources that show the same images: those that share half or more of the smaller one's names."""
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
