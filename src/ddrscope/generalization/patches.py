"""Cutting the patches of sets: each image is decoded and degraded as a whole, then cut."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import Pipeline, parse_degradation
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.plan import SetPlan
from ddrscope.generalization.sources import PatchSource
from ddrscope.images import grid_crops
from ddrscope.progress import NullProgress, Progress

# The key of the ground truth among the names of the sets, none of which is empty.
_TRUTH = ""


@dataclass(frozen=True, eq=False)
class PatchSet:
    """The patches of a set.

    Args:
        name: Name of the set.
        patches: What the networks get, float32 (N, side, side, C) in 0..1.
        photos: The photograph of each patch (N,).
        truth: The clean patches at full size, float32 (N, side * scale, side * scale, C); None if they are not known.
    """

    name: str
    patches: NDArray[np.float32]
    photos: NDArray[np.str_]
    truth: NDArray[np.float32] | None = None


class PatchCutter:
    """Cuts the patches of the sets of a run. Use it as a context manager, or call `close`.

    All sets that are requested together are cut in one pass over the images, so that each image is read once for all of
    them. Patches wait in a temporary file. Memory holds one image at a time, besides those that ``images`` keeps.

    Args:
        plan: Where the patches come from.
        images: Reads the images.
        folder: Folder for the temporary file, which has no name and vanishes when it is closed. Default: the system's.
    """

    def __init__(self, plan: SetPlan, images: DecodedImages, folder: Path | None = None) -> None:
        self.plan, self.images = plan, images
        self._file = _PatchFile(folder)
        self._truth: NDArray[np.float32] | None = None

    def __enter__(self) -> PatchCutter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the patches."""
        self._file.close()

    def cut(self, names: Sequence[str], progress: Progress | None = None) -> None:
        """Cut the sets called ``names``, except for those that are cut already."""
        missing = [name for name in names if name not in self._file]
        degradations = [name for name in self.plan.degradations if name in missing]
        given = {name: source for name, source in self.plan.given.items() if name in missing}
        clean = self.plan.clean if degradations else None
        progress = progress or NullProgress()
        progress.start("cutting patches", sum(len(source.files) for source in (clean, *given.values()) if source))
        if clean:
            self._cut_clean(clean, degradations, progress)
        for name, source in given.items():
            self._cut_given(name, source, progress)

    def load(self, name: str) -> PatchSet:
        """The patches of a set, which is cut first if it is not yet."""
        self.cut([name])
        patches = self._file.read(name)
        if name in self.plan.given:
            return PatchSet(name, patches, np.array(self.plan.given[name].photos))
        assert self.plan.clean is not None
        if self._truth is None:
            self._truth = self._file.read(_TRUTH)
        return PatchSet(name, patches, np.array(self.plan.clean.photos), self._truth)

    def _cut_clean(self, source: PatchSource, names: Sequence[str], progress: Progress) -> None:
        plan, with_truth = self.plan, _TRUTH not in self._file
        pipelines = {name: parse_degradation(name) for name in names}
        for name in names:
            self._file.reserve(name, source.patches, plan.side, plan.channels)
        if with_truth:
            self._file.reserve(_TRUTH, source.patches, plan.side * plan.scale, plan.channels)
        for file, quota in zip(source.files, source.quotas, strict=True):
            image = self.images.read(file)
            for name, pipeline in pipelines.items():
                pixels = pipeline.apply(image.pixels, plan.seed, plan.scale, image.bits)
                self._file.append(name, grid_crops(pixels, plan.side, quota, file.name))
            if with_truth:
                pixels = Pipeline().apply(image.pixels, plan.seed, 1, image.bits)
                self._file.append(_TRUTH, grid_crops(pixels, plan.side * plan.scale, quota, file.name))
            progress.advance()

    def _cut_given(self, name: str, source: PatchSource, progress: Progress) -> None:
        self._file.reserve(name, source.patches, self.plan.side, self.plan.channels)
        for file, quota in zip(source.files, source.quotas, strict=True):
            self._file.append(name, grid_crops(self.images.read(file).pixels, self.plan.side, quota, file.name))
            progress.advance()


@dataclass
class _Section:
    start: int
    end: int
    shape: tuple[int, int, int, int]


class _PatchFile:
    """Sets of patches by name, in one temporary file."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)
        self._sections: dict[str, _Section] = {}
        self._size = 0

    def __contains__(self, name: str) -> bool:
        return name in self._sections

    def reserve(self, name: str, count: int, side: int, channels: int) -> None:
        """Reserve a section for ``count`` patches (side, side, channels)."""
        shape = (count, side, side, channels)
        self._sections[name] = _Section(self._size, self._size, shape)
        self._size += 4 * int(np.prod(shape))

    def append(self, name: str, patches: Sequence[NDArray[np.float32]]) -> None:
        """Write the next patches of a section."""
        section = self._sections[name]
        self._file.seek(section.end)
        section.end += self._file.write(np.ascontiguousarray(patches, np.float32).data)

    def read(self, name: str) -> NDArray[np.float32]:
        """All patches of a section, float32 (N, side, side, channels)."""
        section = self._sections[name]
        self._file.seek(section.start)
        return np.fromfile(self._file, np.float32, int(np.prod(section.shape))).reshape(section.shape)

    def close(self) -> None:
        self._file.close()
