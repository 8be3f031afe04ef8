"""From the bytes of an untrusted file to numbers in 0..1.

The content decides what a file is, not its suffix; PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL, HEIC and .npy are decoded, nothing
else. The size in the header is checked before anything is decoded. `docs/image-files.md` has the table of kinds and depths.

| source                                  | becomes                                                                    |
|-----------------------------------------|----------------------------------------------------------------------------|
| unsigned integers of B bits             | value / (2^B - 1), all bits kept; TIFF with white as 0: inverted           |
| floats                                  | as they are; outside 0..1, NaN and infinity are errors                     |
| signed integers                         | an error                                                                   |
| palette                                 | its colours, with their transparency                                       |
| alpha (also a transparent colour)       | laid over the mean colour of the image itself, weighted by alpha: a      |
|                                         | backdrop that adds neither brightness nor colour nor more edge than needed |
| BMP whose alpha is 0 everywhere         | opaque                                                                     |
| CMYK                                    | sRGB by the embedded ICC profile (perceptual), by plain arithmetic without |
| other ICC profiles                      | ignored: the stored values count, as everywhere in super-resolution        |
| YCbCr, HSV, Lab                         | RGB                                                                        |
| .npy                                    | (height, width) or (height, width, channels); never unpickled              |
| TIFF with other numbers of samples      | its samples as channels                                                    |
| EXIF / TIFF orientation                 | turned upright                                                             |
| several frames or pages                 | the first; an error where it is a reduced version of another               |
| raw files of cameras                    | an error, also when they are named .tif                                    |
| 1 channel wanted, RGB there             | Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B, full range                     |
| 3 channels wanted, grey there           | grey in all three                                                          |
| any other number wanted                 | the stored channels, alpha included; their number must match               |

Pixels of 8- and 16-bit sources stay on their grid (k/255, k/65535), whatever was done to them here.
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
from ddrscope.images.stored_values import Samples, to_unit_range

__all__ = ["MAX_PIXELS", "Raster", "UnreadableImage", "decode", "open_image"]

_SPARE_BYTES = 1 << 26
_HEAD_BYTES = 32


class UnreadableImage(InputError):
    """A file that gives no image: `path`, and the `reason` in one line."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Raster:
    """Decoded values, float32 (H, W, C) in 0..1, `alpha` last; `bits` of the source.

    8 for up to 8 bits whose levels are levels of 8 bits too, 16 for others of up to 16 bits, 32 for floats and wider integers.
    """

    values: np.ndarray
    bits: int
    alpha: bool


def decode(path: Path, max_pixels: int = MAX_PIXELS) -> Raster:
    """The values stored in an image file, upright. Raises UnreadableImage, whatever is wrong with the file."""
    try:
        if not path.is_file():
            raise ValueError("is not a file" if path.exists() else "no such file")
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if not head:
            raise ValueError("the file is empty")
        samples = _samples(path, head, max_pixels)
        pixels, bits = to_unit_range(samples)
    # Decoders meet hostile bytes with exceptions of every type; whichever it is, it costs this file only.
    except Exception as error:
        raise UnreadableImage(path, printable(str(error))[:300] or type(error).__name__) from error
    return Raster(pixels, bits, samples.alpha)


def _samples(path: Path, head: bytes, max_pixels: int) -> Samples:
    if camera_raw.is_raw(head):
        raise ValueError(f"is a raw file of a camera: {camera_raw.REMEDY}")
    if head.startswith(b"\x93NUMPY"):
        return _decode_npy(path, max_pixels)
    if head.startswith(tiff.MAGIC):
        return tiff.decode_tiff(path, max_pixels)
    # Some decoders read the whole file first; holes make one of any size out of nothing.
    if path.stat().st_size > 8 * max_pixels + _SPARE_BYTES:
        raise ValueError(f"the file is larger than any image of up to {max_pixels} pixels")
    if is_avif(head):
        return decode_avif(path, max_pixels)
    if is_heif(head):
        return decode_heif(path, max_pixels)
    if is_jpegxl(head):
        return decode_jpegxl(path, max_pixels)
    return decode_image(path, head, max_pixels)


def _decode_npy(path: Path, max_pixels: int) -> Samples:
    # Mapped, not read: the header is checked before any value is touched, and pickled objects cannot be mapped.
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
    return Samples(values)
