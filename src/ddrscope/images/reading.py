"""Reading picture files with the number of channels a network wants."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddrscope.errors import InputError
from ddrscope.images.decoding import MAX_PIXELS, Raster, UnreadablePicture, decode
from ddrscope.images.files import PictureFile, photo_of

REC_601 = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory: `pixels` float32 (H, W, C) in 0..1, `bits` of its source (8, 16, or 32 for all else)."""

    name: str
    photo: str
    pixels: np.ndarray
    bits: int


def read_picture(file: PictureFile | Path, channels: int = 3, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file as `channels` channels, by the rules in `ddrscope.images.decoding`.

    Raises UnreadablePicture (an InputError) for anything that is no picture of up to `max_pixels` pixels or cannot be
    given as `channels` channels.
    """
    if isinstance(file, Path):
        file = PictureFile(file, file.name, photo_of(file.name))
    raster = decode(file.path, max_pixels)
    try:
        pixels = _to_channels(raster, channels)
    except ValueError as error:
        raise UnreadablePicture(file.path, str(error)) from None
    return Picture(file.name, file.photo, pixels, raster.bits)


def _log_skip(error: UnreadablePicture) -> None:
    logging.getLogger(__name__).warning("skipped %s", error)


def read_pictures(
    files: Iterable[PictureFile],
    channels: int = 3,
    on_skip: Callable[[UnreadablePicture], object] = _log_skip,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Picture]:
    """Read pictures one by one; unreadable ones are handed to `on_skip` (by default logged) and left out.

    Raises InputError at the end when there were files and none was readable.
    """
    skipped: list[UnreadablePicture] = []
    count = 0
    for file in files:
        try:
            picture = read_picture(file, channels, max_pixels)
        except UnreadablePicture as error:
            skipped.append(error)
            on_skip(error)
            continue
        count += 1
        yield picture
    if skipped and not count:
        raise InputError(f"none of the {len(skipped)} pictures can be read; the first: {skipped[0]}")


def _to_channels(raster: Raster, channels: int) -> np.ndarray:
    values = raster.values
    if channels in (1, 3):
        if raster.alpha:
            values = _on_grid(_without_alpha(values), raster.bits)
        stored = values.shape[2]
        if (stored, channels) == (1, 3):
            return np.repeat(values, 3, axis=2)
        if (stored, channels) == (3, 1):
            return _on_grid((values @ REC_601)[..., np.newaxis], raster.bits)
    if values.shape[2] != channels:
        height, width, stored = values.shape
        raise ValueError(
            f"has {stored} channels (height {height}, width {width}) and {channels} are wanted: "
            "convert it, or leave it out"
        )
    return values


def _without_alpha(values: np.ndarray) -> np.ndarray:
    color, alpha = values[..., :-1], values[..., -1:]
    weight = alpha.sum(dtype=np.float64)
    if weight == 0:
        raise ValueError("is wholly transparent")
    backdrop = (color * alpha).sum(axis=(0, 1), dtype=np.float64) / weight
    return color * alpha + (1 - alpha) * backdrop


def _on_grid(values: np.ndarray, bits: int) -> np.ndarray:
    """Values rounded to the levels of the source, float32; floats stay."""
    if bits < 32:
        values = np.rint(values * (2**bits - 1)) / (2**bits - 1)
    return values.astype(np.float32)
