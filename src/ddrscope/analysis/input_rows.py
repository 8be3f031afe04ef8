"""The rows of a study: each image under each degradation, or the images of given sets, cropped and ready for a network."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

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
    photograph_notes,
    read_image,
    result_names,
)
from ddrscope.metrics.design import Design

THUMBNAIL_SIDE = 64


@dataclass(frozen=True)
class Sample:
    """One row: ``pixels`` float32 (H, W, C) in 0..1 as the network gets them, and what they are.

    ``neutral`` is the level at which the family changes nothing, None where there is no such level.
    """

    image: str
    photo: str
    group: str
    family: str | None
    level: float | None
    neutral: float | None
    pixels: np.ndarray


@dataclass
class Samples:
    """All rows of a study for one scale and number of channels, groups in the order asked."""

    rows: list[Sample] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all rows: pixels, names and groups, in hexadecimal."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.image}|{row.photo}|{row.group}|{row.pixels.shape}".encode("utf-8", "surrogatepass"))
            digest.update(np.ascontiguousarray(row.pixels).data)
        return digest.hexdigest()

    @property
    def design(self) -> Design:
        """Which image, photograph and group each row is."""
        return Design(
            images=np.array([row.image for row in self.rows]),
            photos=np.array([row.photo for row in self.rows]),
            groups=np.array([row.group for row in self.rows]),
        )

    def photograph_notes(self, photo_from: str) -> list[str]:
        """What is to be said of how many photographs the images are of."""
        return photograph_notes({row.image: row.photo for row in self.rows}, photo_from)

    def batches(self, size: int) -> Iterator[Tensor]:
        """The rows as float32 batches (B, C, H, W), B <= ``size``."""
        for start in range(0, len(self.rows), size):
            pixels = np.stack([row.pixels for row in self.rows[start : start + size]])
            yield torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()

    def sample(self) -> Tensor:
        """The first row as a batch of one."""
        return next(self.batches(1))

    def labels(self) -> pd.DataFrame:
        """Columns ``picture``, ``photo``, ``degradation``, ``level`` of every row."""
        columns = {
            "picture": [row.image for row in self.rows],
            "photo": [row.photo for row in self.rows],
            "degradation": [row.group for row in self.rows],
            "level": np.array([row.level for row in self.rows], dtype=float),
        }
        return pd.DataFrame(columns)

    def thumbnails(self) -> pd.DataFrame:
        """Columns ``picture``, ``degradation``, ``jpeg``: each row's pixels as a small JPEG."""
        columns = {
            "picture": [row.image for row in self.rows],
            "degradation": [row.group for row in self.rows],
            "jpeg": [_thumbnail(row.pixels) for row in self.rows],
        }
        return pd.DataFrame(columns)


def make_samples(
    settings: AnalysisSettings, scale: int, channels: int, step: Callable[[str], None] = lambda _: None
) -> Samples:
    """Degrade, shrink by ``scale`` and crop all images; ``step`` is called with the name of each image done.

    An unreadable image is left out and listed with its reason. Raises `InputError` when none can be read, when one is smaller
    than the crop, and when the crop is no multiple of the scale.
    """
    if settings.crop % scale:
        near = max(scale, round(settings.crop / scale) * scale)
        raise InputError(f"--crop {settings.crop} is no multiple of the network's scale {scale}: give {near}")
    side = settings.crop // scale
    samples = Samples()
    if settings.degradations:
        pipelines = settings.pipelines()
        for pipeline in pipelines:
            pipeline.check_scale(scale)
        files = _files(list(settings.images) or [bundled_photos()], settings)
        by_group: dict[str, list[Sample]] = {pipeline.text: [] for pipeline in pipelines}
        for name, image in _read(files, channels, samples.skipped, step):
            for pipeline in pipelines:
                pixels = pipeline.apply(image.pixels, settings.seed, scale, image.bits)
                _check_size(pixels, side, scale, image.name)
                by_group[pipeline.text].append(_degraded(name, image.photo, pipeline, center_crop(pixels, side)))
        samples.rows = [row for rows in by_group.values() for row in rows]
    photos = {row.image: row.photo for row in samples.rows}
    for group, source in settings.sets.items():
        for name, image in _read(_files([source], settings), channels, samples.skipped, step):
            _check_size(image.pixels, side, scale, image.name)
            pixels = center_crop(image.pixels, side)
            # An image is of one photograph, whatever else its file says in another set.
            photo = photos.setdefault(name, image.photo)
            samples.rows.append(Sample(name, photo, group, None, None, None, pixels))
    if len({row.group for row in samples.rows}) < 2:
        raise InputError("fewer than two groups have readable images: " + _first_reason(samples.skipped))
    _leave_out_incomplete(samples)
    return samples


def _files(sources: Sequence[str | Path], settings: AnalysisSettings) -> list[ImageFile]:
    return assign_photographs(find_images(sources)[: settings.limit], settings.photo_from)


def _leave_out_incomplete(samples: Samples) -> None:
    """Drop the images that are not in every group, where at least half of each group's are: groups are compared on the same images."""
    groups: dict[str, set[str]] = {}
    for row in samples.rows:
        groups.setdefault(row.group, set()).add(row.image)
    common, everything = set.intersection(*groups.values()), set.union(*groups.values())
    if common == everything or 2 * len(common) < max(map(len, groups.values())):
        return
    names = sorted(everything - common)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    samples.notes.append(f"{', '.join(names[:3])}{more}: not in every group, so left out of all of them.")
    samples.rows = [row for row in samples.rows if row.image in common]


def _read(
    files: list[ImageFile], channels: int, skipped: dict[str, str], step: Callable[[str], None]
) -> Iterator[tuple[str, LoadedImage]]:
    """The readable images, each with the name it has in the result: without suffix, unless two differ in it only, so that sets match."""
    names = result_names(files, "")
    read = 0
    for file in files:
        try:
            image = read_image(file, channels)
        except UnreadableImage as error:
            skipped[str(file.path)] = error.reason
        else:
            read += 1
            yield names[file].as_posix(), image
        step(file.name)
    if not read:
        raise InputError("no image can be read: " + _first_reason(skipped))


def _degraded(name: str, photo: str, pipeline: Pipeline, pixels: np.ndarray) -> Sample:
    level = 0.0 if not pipeline.steps else pipeline.level
    neutral = pipeline.steps[0].neutral_level if len(pipeline.steps) == 1 else None
    return Sample(name, photo, pipeline.text, pipeline.family, level, neutral, pixels)


def _check_size(pixels: np.ndarray, side: int, scale: int, name: str) -> None:
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        largest = min(height, width) * scale
        raise InputError(
            f"{name} is {width * scale} x {height * scale} HR pixels, smaller than --crop {side * scale}: "
            f"leave it out or give --crop {largest}"
        )


def _first_reason(skipped: dict[str, str]) -> str:
    if not skipped:
        return "there are none"
    path, reason = next(iter(skipped.items()))
    return f"{Path(path)}: {reason}" + (f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else "")


def _thumbnail(pixels: np.ndarray) -> bytes:
    if pixels.shape[2] not in (1, 3):
        pixels = pixels.mean(axis=2, keepdims=True)
    eight_bits = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(eight_bits[:, :, 0] if eight_bits.shape[2] == 1 else eight_bits)
    factor = THUMBNAIL_SIDE / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    # Enlarged without smoothing, so that the pixels the network saw can be seen.
    smooth = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX
    file = io.BytesIO()
    image.resize(size, smooth).save(file, "JPEG", quality=85)
    return file.getvalue()
