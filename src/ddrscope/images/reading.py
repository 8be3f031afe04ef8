"""ReadResult image files with the number of channels a network wants."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyarrow import ArrowException

from ddrscope.errors import printable
from ddrscope.images.decoding import MAX_PIXELS, Raster, UnreadableImage, decode
from ddrscope.images.files import ImageFile, photo_of
from ddrscope.images.metadata import Metadata, read_metadata
from ddrscope.images.remote import local_copy
from ddrscope.io.files import sha256

# More than any image that is decoded: a file made of holes is as large as its maker pleases, and would be hashed for days.
MAX_HASHED_BYTES = 64 * MAX_PIXELS
# Images that wait, decoded, while one is worked on.
AHEAD = 2
REC_601 = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image in memory: `pixels` float32 (H, W, C) in 0..1, `bits` of its source (see `Raster`)."""

    name: str
    photo: str
    pixels: np.ndarray
    bits: int


def read_image(file: ImageFile | Path, channels: int = 3, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Read an image file as `channels` channels, by the rules in `ddrscope.images.decoding`.

    Raises UnreadableImage (an InputError) for anything that is no image of up to `max_pixels` pixels or cannot be
    given as `channels` channels.
    """
    if isinstance(file, Path):
        file = ImageFile(file, file.name, photo_of(file.name))
    with _fetched(file) as path:
        return _read(file, path, channels, max_pixels)


def read_with_metadata(file: ImageFile, channels: int = 3) -> tuple[LoadedImage, Metadata]:
    """An image as `read_image` gives it, and what its file says beside the pixels."""
    with _fetched(file) as path:
        return _read(file, path, channels), read_metadata(path, channels)


@contextmanager
def _fetched(file: ImageFile) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(local_copy(file.path))
        except (OSError, ArrowException) as error:
            raise UnreadableImage(file.path, printable(str(error))) from None
        yield path


def _read(file: ImageFile, path: Path, channels: int, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    try:
        raster = decode(path, max_pixels)
        pixels = _to_channels(raster, channels)
    except UnreadableImage as error:
        # By its own name: what was decoded may be a copy.
        raise UnreadableImage(file.path, error.reason) from error
    except ValueError as error:
        raise UnreadableImage(file.path, str(error)) from None
    return LoadedImage(file.name, file.photo, pixels, raster.bits)


@dataclass(frozen=True, eq=False)
class ReadResult:
    """What came of reading a file: the image, or the reason why there is none; `sha256` of its bytes.

    None where there were no bytes, and for a file larger than `MAX_HASHED_BYTES`.
    """

    file: ImageFile
    image: LoadedImage | None
    error: UnreadableImage | None
    sha256: str | None


def read_ahead(files: Iterable[ImageFile], channels: int = 3) -> Iterator[ReadResult]:
    """Read images in order while those before are worked on: at most `AHEAD` wait, so that memory stays bounded."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[ReadResult]] = deque()
        for file in files:
            waiting.append(pool.submit(_reading, file, channels))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _reading(file: ImageFile, channels: int) -> ReadResult:
    digest = None
    try:
        with _fetched(file) as path:
            if path.is_file() and path.stat().st_size <= MAX_HASHED_BYTES:
                digest = sha256(path)
            return ReadResult(file, _read(file, path, channels), None, digest)
    except UnreadableImage as error:
        return ReadResult(file, None, error, digest)
    except OSError as error:
        return ReadResult(file, None, UnreadableImage(file.path, printable(str(error))), digest)


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
