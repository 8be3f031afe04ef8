"""Decoding of untrusted image files to numbers in 0..1.

The content decides what a file is, not its suffix. PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL, HEIC and .npy are
decoded, nothing else. The size in the header is checked before anything is decoded. `docs/image-files.md` has the table
of formats and depths.

| source                             | result                                                                        |
|------------------------------------|-------------------------------------------------------------------------------|
| unsigned integers of B bits        | value / (2^B - 1), all bits kept; TIFF with white as 0: inverted              |
| floats                             | unchanged; outside 0..1, NaN and infinity are errors                          |
| signed integers                    | an error                                                                      |
| palette                            | its colours, with their transparency                                          |
| alpha, also a transparent colour   | composited over the mean colour of the image, weighted by alpha: this adds    |
|                                    | no brightness, no colour and as little edge contrast as possible              |
| BMP whose alpha is 0 everywhere    | opaque                                                                        |
| CMYK                               | sRGB by the embedded ICC profile (perceptual), by plain arithmetic without it |
| other ICC profiles                 | ignored: stored values count, as is usual in super-resolution                 |
| YCbCr, HSV, Lab                    | RGB                                                                           |
| .npy                               | (height, width) or (height, width, channels); never unpickled                 |
| TIFF with other numbers of samples | its samples as channels                                                       |
| EXIF / TIFF orientation            | turned upright                                                                |
| several frames or pages            | the first; an error if it is a reduced version of another                     |
| raw files of cameras               | an error, also if they are named .tif                                         |
| RGB, 1 channel requested           | Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B, full range                        |
| grey, 3 channels requested         | grey in all three                                                             |
| any other number requested         | the stored channels, alpha included; their number must match                  |

Pixels of 8- and 16-bit sources stay on their grid (k/255, k/65535) after each of these conversions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddrscope.errors import InputError, printable
from ddrscope.images import camera_raw, tiff
from ddrscope.images.jpegxl_header import is_jpegxl
from ddrscope.images.modern_formats import decode_avif, decode_heif, decode_jpegxl, is_avif, is_heif
from ddrscope.images.pillow_files import decode_image, open_image
from ddrscope.images.size_limits import MAX_PIXELS, check_size
from ddrscope.images.stored_values import StoredValues, to_unit_range

__all__ = ["MAX_PIXELS", "Raster", "UnreadableImage", "decode", "open_image"]

_MAX_METADATA_BYTES = 1 << 26
_HEAD_BYTES = 32


class UnreadableImage(InputError):
    """A file that cannot be read as an image.

    Attributes:
        path: The file.
        reason: Why it cannot be read, in one line.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Raster:
    """The decoded values of an image file.

    Attributes:
        values: float32 (H, W, C) in 0..1; the alpha channel, if there is one, is the last.
        bits: Depth of the source: 8 for up to 8 bits whose levels are levels of 8 bits too, 16 for others of up to
            16 bits, 32 for floats and wider integers.
        alpha: Whether there is an alpha channel.
    """

    values: np.ndarray
    bits: int
    alpha: bool


def decode(path: Path, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decode an image file, turned upright.

    Raises:
        UnreadableImage: The file is missing, broken, too large or of an unsupported format.
    """
    try:
        if not path.is_file():
            raise ValueError("is not a file" if path.exists() else "no such file")
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if not head:
            raise ValueError("the file is empty")
        stored = _read_stored(path, head, max_pixels)
        pixels, bits = to_unit_range(stored)
    # Decoders raise exceptions of every type on crafted files. Each is an error of this file only.
    except Exception as error:
        raise UnreadableImage(path, printable(str(error))[:300] or type(error).__name__) from error
    return Raster(pixels, bits, stored.alpha)


def _read_stored(path: Path, head: bytes, max_pixels: int) -> StoredValues:
    if camera_raw.is_raw(head):
        raise ValueError(f"is a raw file of a camera: {camera_raw.REMEDY}")
    if head.startswith(b"\x93NUMPY"):
        return _decode_npy(path, max_pixels)
    if head.startswith(tiff.MAGIC):
        return tiff.decode_tiff(path, max_pixels)
    # Some decoders read the whole file first, and a sparse file of any size costs nothing to make.
    if path.stat().st_size > 8 * max_pixels + _MAX_METADATA_BYTES:
        raise ValueError(f"the file is larger than any image of up to {max_pixels} pixels")
    if is_avif(head):
        return decode_avif(path, max_pixels)
    if is_heif(head):
        return decode_heif(path, max_pixels)
    if is_jpegxl(head):
        return decode_jpegxl(path, max_pixels)
    return decode_image(path, head, max_pixels)


def _decode_npy(path: Path, max_pixels: int) -> StoredValues:
    # Memory-mapped: the header is checked before any value is read, and pickled objects cannot be mapped.
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if values.ndim != 3 or values.dtype.kind not in "buif":
        raise ValueError(
            f"an array of {values.dtype} with shape {values.shape}: real numbers of shape (height, width) or "
            "(height, width, channels) are needed"
        )
    height, width, channels = values.shape
    check_size(height, width, channels, max_pixels)
    return StoredValues(values)
