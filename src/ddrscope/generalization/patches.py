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


@dataclass(frozen=True, eq=False)
class PatchSet:
    """The patches of a set.

    Args:
        name: Name of the set.
        patches: What the networks get, float32 (N, side, side, C) in 0..1.
        photos: The photograph of each patch (N,).
        truth: The clean patches at full size, float32 (N, side * scale, side * scale, C); None where it is not known.
    """

    name: str
    patches: NDArray[np.float32]
    photos: NDArray[np.str_]
    truth: NDArray[np.float32] | None = None


class PatchCutter:
    """Cuts the patches of the sets of a run.

    All sets that are asked for together are cut in one pass over the images, so that each image is decoded once for all
    of them. Patches wait in temporary files. Memory holds one image at a time, besides those that ``images`` keeps.

    Args:
        plan: Where the patches come from.
        images: Reads the images.
        folder: Folder for the temporary files, which have no names and vanish with this object. Default: the system's.
    """

    def __init__(self, plan: SetPlan, images: DecodedImages, folder: Path | None = None) -> None:
        self.plan, self.images, self.folder = plan, images, folder
        self._cut: dict[str, _PatchFile] = {}
        self._truth_file: _PatchFile | None = None
        self._truth: NDArray[np.float32] | None = None

    def cut(self, names: Sequence[str], progress: Progress | None = None) -> None:
        """Cut the sets called ``names``, except for those that are cut already."""
        missing = [name for name in names if name not in self._cut]
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
        if name in self.plan.given:
            return PatchSet(name, self._cut[name].read(), np.array(self.plan.given[name].photos))
        assert self.plan.clean is not None and self._truth_file is not None
        if self._truth is None:
            self._truth = self._truth_file.read()
        return PatchSet(name, self._cut[name].read(), np.array(self.plan.clean.photos), self._truth)

    def _cut_clean(self, source: PatchSource, names: Sequence[str], progress: Progress) -> None:
        plan = self.plan
        files = {name: _PatchFile(plan.side, plan.channels, self.folder) for name in names}
        pipelines = {name: parse_degradation(name) for name in names}
        truth = None if self._truth_file else _PatchFile(plan.side * plan.scale, plan.channels, self.folder)
        for file, quota in zip(source.files, source.quotas, strict=True):
            image = self.images.read(file)
            for name, pipeline in pipelines.items():
                pixels = pipeline.apply(image.pixels, plan.seed, plan.scale, image.bits)
                files[name].append(grid_crops(pixels, plan.side, quota, file.name))
            if truth:
                pixels = Pipeline().apply(image.pixels, plan.seed, 1, image.bits)
                truth.append(grid_crops(pixels, plan.side * plan.scale, quota, file.name))
            progress.advance()
        self._cut |= files
        self._truth_file = truth or self._truth_file

    def _cut_given(self, name: str, source: PatchSource, progress: Progress) -> None:
        patches = _PatchFile(self.plan.side, self.plan.channels, self.folder)
        for file, quota in zip(source.files, source.quotas, strict=True):
            patches.append(grid_crops(self.images.read(file).pixels, self.plan.side, quota, file.name))
            progress.advance()
        self._cut[name] = patches


class _PatchFile:
    """Patches (side, side, channels) in a temporary file without a name."""

    def __init__(self, side: int, channels: int, folder: Path | None) -> None:
        self._shape = (-1, side, side, channels)
        self._file = tempfile.TemporaryFile(dir=folder)

    def append(self, patches: Sequence[NDArray[np.float32]]) -> None:
        self._file.write(np.ascontiguousarray(patches, np.float32).data)

    def read(self) -> NDArray[np.float32]:
        self._file.seek(0)
        return np.fromfile(self._file, np.float32).reshape(self._shape)
