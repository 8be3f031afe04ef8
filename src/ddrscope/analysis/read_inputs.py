"""Reading, degrading and cropping the images of an analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ddrscope.analysis.input_rows import InputRow, InputRows
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.degradations import Pipeline
from ddrscope.errors import InputError
from ddrscope.images import (
    ImageFile,
    LoadedImage,
    UnreadableImage,
    assign_photographs,
    bundled_photos,
    center_crop,
    find_images,
    folder_of,
    read_image,
    result_names,
)


def read_inputs(
    settings: AnalysisSettings, scale: int, channels: int, step: Callable[[], object] = lambda: None
) -> InputRows:
    """Read all images, and degrade, shrink and crop them for networks of one scale and number of channels.

    An image that cannot be read is skipped, with its reason.

    Args:
        settings: Which images, degradations and sets.
        scale: Factor by which the networks enlarge; images are shrunk by it.
        channels: Channels of the networks' input.
        step: Called after each image file.

    Raises:
        InputError: No image can be read, an image is smaller than the crop, the crop is no multiple of the scale, a
            degradation does not fit the scale, or content groups are folders and the images lie in one.
    """
    if settings.crop % scale:
        nearest = max(scale, round(settings.crop / scale) * scale)
        raise InputError(f"`crop`={settings.crop} is no multiple of the network's scale {scale}: give {nearest}")
    inputs = InputRows()
    reader = _Reader(settings, scale, channels, inputs.skipped, step)
    if settings.degradations:
        inputs.rows = reader.degraded_rows()
    known = {row.image: (row.photo, row.folder) for row in inputs.rows}
    for group, source in settings.sets.items():
        inputs.rows += reader.set_rows(group, source, known)
    if len({row.group for row in inputs.rows}) < 2:
        raise InputError("fewer than two groups have readable images: " + _first_reason(inputs.skipped))
    _leave_out_incomplete(inputs)
    if settings.content == "folder":
        _check_folders(inputs.rows)
    return inputs


class _Reader:
    """Reads images for one scale and number of channels; ``skipped`` receives the reasons for unreadable ones."""

    def __init__(
        self,
        settings: AnalysisSettings,
        scale: int,
        channels: int,
        skipped: dict[str, str],
        step: Callable[[], object],
    ) -> None:
        self.settings, self.scale, self.channels = settings, scale, channels
        self.skipped, self.step = skipped, step
        self.side = settings.crop // scale

    def degraded_rows(self) -> list[InputRow]:
        """A row for each clean image and degradation, ordered by degradation."""
        pipelines = self.settings.pipelines()
        for pipeline in pipelines:
            pipeline.check_scale(self.scale)
        rows: dict[str, list[InputRow]] = {pipeline.text: [] for pipeline in pipelines}
        for name, folder, image in self._images(list(self.settings.images) or [bundled_photos()]):
            for pipeline in pipelines:
                pixels = pipeline.apply(image.pixels, self.settings.seed, self.scale, image.bits)
                crop = self._crop(pixels, image.name)
                rows[pipeline.text].append(_degraded(name, image.photo, folder, pipeline, crop))
        return [row for group in rows.values() for row in group]

    def set_rows(self, group: str, source: str, known: dict[str, tuple[str, str]]) -> list[InputRow]:
        """A row for each image of a set; ``known`` has photograph and folder of the images that are known already."""
        rows = []
        for name, folder, image in self._images([source]):
            # An image comes from one photograph, whatever its file in another set says.
            photo, folder = known.setdefault(name, (image.photo, folder))
            rows.append(InputRow(name, photo, group, None, None, None, self._crop(image.pixels, image.name), folder))
        return rows

    def _images(self, sources: Sequence[str | Path]) -> Iterator[tuple[str, str, LoadedImage]]:
        """The readable images with their names in the result, and their folders.

        The names have no suffix, unless two of them differ in it only, so that the images of sets match.
        """
        files = _find(sources, self.settings)
        names = result_names(files, "")
        read = 0
        for file in files:
            try:
                image = read_image(file, self.channels)
            except UnreadableImage as error:
                self.skipped[str(file.path)] = error.reason
            else:
                read += 1
                yield names[file].as_posix(), folder_of(file), image
            self.step()
        if not read:
            raise InputError("no image can be read: " + _first_reason(self.skipped))

    def _crop(self, pixels: np.ndarray, name: str) -> np.ndarray:
        height, width = pixels.shape[:2]
        if min(height, width) < self.side:
            raise InputError(
                f"{name} is {width * self.scale} x {height * self.scale} HR pixels, smaller than "
                f"`crop`={self.settings.crop}: leave it out or give {min(height, width) * self.scale}"
            )
        return center_crop(pixels, self.side)


def _find(sources: Sequence[str | Path], settings: AnalysisSettings) -> list[ImageFile]:
    return assign_photographs(find_images(sources)[: settings.limit], settings.photo_from)


def _degraded(name: str, photo: str, folder: str, pipeline: Pipeline, pixels: np.ndarray) -> InputRow:
    level = 0.0 if not pipeline.steps else pipeline.level
    neutral = pipeline.steps[0].neutral_level if len(pipeline.steps) == 1 else None
    return InputRow(name, photo, pipeline.text, pipeline.family, level, neutral, pixels, folder)


def _check_folders(rows: Sequence[InputRow]) -> None:
    folders: dict[str, set[str]] = {}
    for row in rows:
        folders.setdefault(row.photo, set()).add(row.folder)
    names = set().union(*folders.values())
    if len(names) < 2:
        raise InputError(f"`content`=folder: all images lie in one folder, {min(names)}: give a folder for each class")
    if len(names) == len(folders):
        raise InputError(
            "`content`=folder: every folder holds one photograph, so that classes and photographs are the same: give "
            "several photographs of each class, or another `photo_from`"
        )
    for photo, own in folders.items():
        if len(own) > 1:
            raise InputError(
                f"`content`=folder: the photograph {photo} lies in two folders, {' and '.join(sorted(own)[:2])}"
            )


def _leave_out_incomplete(inputs: InputRows) -> None:
    """Drop the images that are not in every group, if at least half of the largest group is in all of them.

    Groups with the same images make a balanced design, which the variance shares need.
    """
    groups: dict[str, set[str]] = {}
    for row in inputs.rows:
        groups.setdefault(row.group, set()).add(row.image)
    common, everything = set.intersection(*groups.values()), set.union(*groups.values())
    if common == everything or 2 * len(common) < max(map(len, groups.values())):
        return
    names = sorted(everything - common)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    inputs.notes.append(f"{', '.join(names[:3])}{more}: not in every group, so left out of all of them.")
    inputs.rows = [row for row in inputs.rows if row.image in common]


def _first_reason(skipped: dict[str, str]) -> str:
    if not skipped:
        return "there are none"
    path, reason = next(iter(skipped.items()))
    return f"{path}: {reason}" + (f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else "")
