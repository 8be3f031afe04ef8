"""Reading picture files with the number of channels a network wants."""
from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyarrow import ArrowException

from ddrscope.errors import InputError
from ddrscope.images.decoding import MAX_PIXELS, Raster, UnreadablePicture, decode
from ddrscope.images.files import PictureFile, photo_of
from ddrscope.images.remote import local_copy

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
    with _fetched(file) as path:
        return _read(file, path, channels, max_pixels)


@contextmanager
def _fetched(file: PictureFile) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(local_copy(file.path))
        except (OSError, ArrowException) as error:
            raise UnreadablePicture(file.path, " ".join(str(error).split())) from None
        yield path


def _read(file: PictureFile, path: Path, channels: int, max_pixels: int = MAX_PIXELS) -> Picture:
    try:
        raster = decode(path, max_pixels)
        pixels = _to_channels(raster, channels)
    except UnreadablePicture as error:
        # By its own name: what was decoded may be a copy.
        raise UnreadablePicture(file.path, error.reason) from error
    except ValueError as error:
        raise UnreadablePicture(file.path, str(error)) from None
    return Picture(file.name, file.photo, pixels, raster.bits)


@dataclass(frozen=True, eq=False)
class Reading:
    """What came of reading a file: the picture, or the reason why there is none; `sha256` of its bytes where there were any."""

    file: PictureFile
    picture: Picture | None
    error: UnreadablePicture | None
    sha256: str | None


def read_ahead(files: Iterable[PictureFile], channels: int = 3, ahead: int = 2) -> Iterator[Reading]:
    """Read pictures in order while those before are worked on: at most `ahead` wait, so that memory stays bounded."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Reading]] = deque()
        for file in files:
            waiting.append(pool.submit(_reading, file, channels))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _reading(file: PictureFile, channels: int) -> Reading:
    digest = None
    try:
        with _fetched(file) as path:
            if path.is_file():
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return Reading(file, _read(file, path, channels), None, digest)
    except UnreadablePicture as error:
        return Reading(file, None, error, digest)
    except OSError as error:
        return Reading(file, None, UnreadablePicture(file.path, " ".join(str(error).split())), digest)


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
