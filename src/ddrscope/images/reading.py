"""Reading image files as the number of channels that a network takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from pyarrow import ArrowException

from ddrscope.errors import printable
from ddrscope.images.decoding import MAX_PIXELS, Raster, UnreadableImage, decode
from ddrscope.images.file_facts import FileFacts, read_file_facts
from ddrscope.images.image_file import ImageFile, photo_of
from ddrscope.images.metadata import Metadata, read_metadata
from ddrscope.images.remote import is_remote, local_copy
from ddrscope.io.files import sha256
from ddrscope.io.paths import expand_path

# More than any image that is decoded. A sparse file may have any size, and would be hashed for days.
MAX_HASHED_BYTES = 64 * MAX_PIXELS
# How many decoded images wait at most while another is processed.
_MAX_WAITING = 2
_REC_601_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image in memory.

    Attributes:
        name: Name of its file, see `ImageFile`.
        photo: The photograph that it shows.
        pixels: float32 (H, W, C) in 0..1.
        bits: Depth of its source, see `ddrscope.images.decoding.Raster`.
    """

    name: str
    photo: str
    pixels: np.ndarray
    bits: int


def read_image(file: ImageFile | Path | str, channels: int = 3, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Read an image file, by the rules in `ddrscope.images.decoding`.

    Args:
        file: The file, its path, or a URI.
        channels: Number of channels of the result.
        max_pixels: Largest size of the image in pixels.

    Raises:
        UnreadableImage: The file cannot be decoded, or cannot be converted to ``channels`` channels.
    """
    if not isinstance(file, ImageFile):
        path = file if isinstance(file, Path) or is_remote(file) else expand_path(file)
        name = PurePath(path).name
        file = ImageFile(path, name, photo_of(name))
    with _downloaded(file) as path:
        return _read(file, path, channels, max_pixels)


def read_with_metadata(file: ImageFile, channels: int = 3) -> tuple[LoadedImage, Metadata]:
    """Read an image file like `read_image`, together with its colour profile, EXIF and resolution."""
    with _downloaded(file) as path:
        return _read(file, path, channels), read_metadata(path, channels)


@dataclass(frozen=True, eq=False)
class ReadResult:
    """The result of reading a file: an image, or an error.

    Attributes:
        file: The file.
        image: The image; None if it cannot be read.
        error: Why it cannot be read; None if it can.
        sha256: SHA-256 of the file; None if the file is missing, or larger than `MAX_HASHED_BYTES`.
        facts: What the file says of itself; None if it cannot be read.
    """

    file: ImageFile
    image: LoadedImage | None
    error: UnreadableImage | None
    sha256: str | None
    facts: FileFacts | None = None


def read_ahead(files: Iterable[ImageFile], channels: int = 3) -> Iterator[ReadResult]:
    """Read images in order, in a thread, while earlier ones are processed. At most two images wait in memory."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[ReadResult]] = deque()
        for file in files:
            waiting.append(pool.submit(_read_result, file, channels))
            if len(waiting) > _MAX_WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _downloaded(file: ImageFile) -> Iterator[Path]:
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
        # The decoded file may be a temporary copy: name the original.
        raise UnreadableImage(file.path, error.reason) from error
    except ValueError as error:
        raise UnreadableImage(file.path, str(error)) from None
    return LoadedImage(file.name, file.photo, pixels, raster.bits)


def _read_result(file: ImageFile, channels: int) -> ReadResult:
    digest = None
    try:
        with _downloaded(file) as path:
            if path.is_file() and path.stat().st_size <= MAX_HASHED_BYTES:
                digest = sha256(path)
            return ReadResult(file, _read(file, path, channels), None, digest, read_file_facts(path))
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
            return _on_grid((values @ _REC_601_LUMA)[..., np.newaxis], raster.bits)
    if values.shape[2] != channels:
        height, width, stored = values.shape
        raise ValueError(
            f"has {stored} channels (height {height}, width {width}), and {channels} are needed: "
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
    """The values rounded to the levels of the source, as float32; values of floats are not rounded."""
    if bits < 32:
        values = np.rint(values * (2**bits - 1)) / (2**bits - 1)
    return values.astype(np.float32)
