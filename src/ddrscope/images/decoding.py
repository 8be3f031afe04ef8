"""From the bytes of a file that nobody vouches for to numbers in 0..1.

The content decides what a file is, not its suffix; PNG, JPEG, WebP, TIFF, BMP, GIF and .npy are decoded, nothing else. The
size in the header is checked before anything is decoded.

| source                                  | becomes                                                                    |
|-----------------------------------------|----------------------------------------------------------------------------|
| 8-bit grey, RGB; 1-bit                  | value / 255; 1-bit is 0 or 1                                               |
| 16-bit grey, RGB                        | value / 65535, all 16 bits kept                                            |
| palette                                 | its colours, with their transparency                                       |
| alpha (also a transparent colour)       | laid over the mean colour of the picture itself, weighted by alpha: a      |
|                                         | backdrop that adds neither brightness nor colour nor more edge than needed |
| CMYK                                    | sRGB by the embedded ICC profile (perceptual), by plain arithmetic without |
| other ICC profiles                      | ignored: the stored values count, as everywhere in super-resolution        |
| YCbCr, HSV, Lab                         | RGB                                                                        |
| floats, and integers of other widths    | as they are when all within 0..1, else scaled by the picture's own minimum |
| (TIFF, .npy)                            | and maximum (a constant one becomes 0); NaN and infinity are errors        |
| .npy                                    | (height, width) or (height, width, channels); never unpickled              |
| TIFF with other numbers of samples      | its samples as channels                                                    |
| EXIF / TIFF orientation                 | turned upright                                                             |
| several frames or pages                 | the first                                                                  |
| 1 channel wanted, RGB there             | Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B, full range                     |
| 3 channels wanted, grey there           | grey in all three                                                          |
| any other number wanted                 | the stored channels, alpha included; their number must match               |

Pixels of 8- and 16-bit sources stay on their grid (k/255, k/65535), whatever was done to them here.
"""
from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, UnidentifiedImageError
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from ddrscope.errors import InputError, printable

MAX_PIXELS = 200_000_000
_SPARE_BYTES = 1 << 26

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_COMPRESSIONS = (
    COMPRESSION.NONE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.LZW, COMPRESSION.PACKBITS,
)  # fmt: skip
_PLAIN_MODE = {
    "1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB",
}  # fmt: skip
_EXIF_ORIENTATION = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 0x0142, 0x0143
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values.swapaxes(0, 1)[::-1],
}
_pillow_limit = threading.Lock()


class UnreadablePicture(InputError):
    """A file that gives no picture: `path`, and the `reason` in one line."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Raster:
    """Decoded values, float32 (H, W, C) in 0..1, `alpha` last; `bits` of the source (8, 16, or 32 for all else)."""

    values: np.ndarray
    bits: int
    alpha: bool


def decode(path: Path, max_pixels: int = MAX_PIXELS) -> Raster:
    """The values stored in a picture file, upright. Raises UnreadablePicture, whatever is wrong with the file."""
    try:
        if not path.is_file():
            raise ValueError("is not a file" if path.exists() else "no such file")
        with path.open("rb") as stream:
            head = stream.read(26)
        if not head:
            raise ValueError("the file is empty")
        if head.startswith(b"\x93NUMPY"):
            values, alpha = _decode_npy(path, max_pixels), False
        elif head.startswith(_TIFF_MAGIC):
            values, alpha = _decode_tiff(path, max_pixels)
        else:
            # Some decoders read the whole file first; holes make one of any size out of nothing.
            if path.stat().st_size > 8 * max_pixels + _SPARE_BYTES:
                raise ValueError(f"the file is larger than any picture of up to {max_pixels} pixels")
            values, alpha = _decode_image(path, head, max_pixels)
        pixels, bits = _to_unit_range(values)
    # Decoders meet hostile bytes with exceptions of every type; whichever it is, it costs this file only.
    except Exception as error:
        raise UnreadablePicture(path, printable(str(error))[:300] or type(error).__name__) from error
    return Raster(pixels, bits, alpha)


def _decode_npy(path: Path, max_pixels: int) -> np.ndarray:
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
    _check_size(height, width, channels, max_pixels)
    return values


def _decode_image(path: Path, head: bytes, max_pixels: int) -> tuple[np.ndarray, bool]:
    with open_image(path) as image:
        _check_size(image.height, image.width, 1, max_pixels)
        bit_depth, color_type = head[24:26] if image.format == "PNG" else (8, 0)
        # Pillow drops the low byte of 16-bit PNGs in colour or with alpha, and passes over a transparent grey.
        if bit_depth == 16 and (color_type != 0 or "transparency" in image.info):
            values = imagecodecs.png_decode(path.read_bytes())
            alpha = values.shape[2] in (2, 4)
        else:
            values, alpha = _image_values(image)
        return _upright(values, _orientation(image)), alpha


def _decode_tiff(path: Path, max_pixels: int) -> tuple[np.ndarray, bool]:
    try:
        with open_image(path) as image:
            _check_size(image.height, image.width, 1, max_pixels)
            tags = image.tag_v2  # type: ignore[attr-defined]
            tile = tags.get(_TILE_LENGTH, 1), tags.get(_TILE_WIDTH, 1)
            # A text times a number would be that many texts.
            if not all(isinstance(side, int) for side in tile):
                raise ValueError("its tiles have no size")
            _check_chunk((*tile, len(image.getbands())), 4 * max_pixels)
            if _pillow_reads_all(image):
                # Pillow turns TIFFs upright by itself.
                return _image_values(image)
    except UnidentifiedImageError:
        pass
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        _check_size(page.imagelength, page.imagewidth, page.samplesperpixel, max_pixels)
        _check_tiff(page, 4 * max_pixels)
        values = page.asarray(maxworkers=1)
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
        values = np.atleast_3d(values)
        unsigned = values.dtype.kind == "u"
        if page.photometric == PHOTOMETRIC.MINISWHITE and unsigned:
            values = np.iinfo(values.dtype).max - values
        alpha = unsigned and page.extrasamples[-1:] == (EXTRASAMPLE.UNASSALPHA,)
        return _upright(values, page.tags.valueof(_EXIF_ORIENTATION, default=1)), alpha


def _check_tiff(page: tifffile.TiffPage, max_values: int) -> None:
    """Raise ValueError unless this page is a flat picture, packed in a common way."""
    if page.photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB):
        raise ValueError(f"a TIFF of {page.bitspersample} bits in {page.photometric!s}: save it as grey or RGB")
    if page.axes not in ("YX", "YXS", "SYX"):
        raise ValueError(f"a TIFF with axes {page.axes}: only flat pictures with channels can be used")
    if EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
        raise ValueError("a TIFF with premultiplied alpha: save it with straight alpha, or without")
    if page.compression not in _TIFF_COMPRESSIONS:
        raise ValueError(f"a TIFF of this depth packed as {page.compression!s}: save it with deflate, LZW or unpacked")
    _check_chunk(page.chunks, max_values)


def _check_chunk(shape: tuple[int, ...], max_values: int) -> None:
    # A chunk (strip or tile) is unpacked whole, however little of it the picture needs; never beyond its own size.
    if math.prod(shape) > max_values:
        raise ValueError(f"its strips or tiles of shape {shape} are more than the limit of {max_values} values")


def open_image(file: Path | BinaryIO, formats: tuple[str, ...] = _FORMATS) -> Image.Image:
    """A picture file opened by Pillow, of the allowed formats and of any size, not decoded; whatever is wrong with it raises."""
    # Pillow's own size limit is a process-wide setting; ours is an argument, checked right after this.
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        except UnidentifiedImageError:
            raise UnidentifiedImageError("not a PNG, JPEG, WebP, TIFF, BMP, GIF or .npy file, or a damaged one") from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_size(height: int, width: int, channels: int, max_pixels: int) -> None:
    if height * width * channels == 0:
        raise ValueError(f"has no pixels ({width} x {height}, {channels} channels)")
    # Channels beyond RGB and alpha take memory too, so they count.
    if height * width * max(channels, 4) > 4 * max_pixels:
        channel_note = f" x {channels} channels" if channels > 4 else ""
        raise ValueError(f"{width} x {height} pixels{channel_note} are more than the limit of {max_pixels} pixels")


def _pillow_reads_all(tiff: Image.Image) -> bool:
    """Whether Pillow keeps all bits and samples of this TIFF."""
    tags = tiff.tag_v2  # type: ignore[attr-defined]
    bits, samples = max(tags.get(258, (1,))), tags.get(277, 1)
    deep = tiff.mode in ("F", "I") or tiff.mode.startswith("I;16")
    inverted = deep and tags.get(262) == PHOTOMETRIC.MINISWHITE
    return samples <= len(tiff.getbands()) and (bits <= 8 or deep) and not inverted


def _image_values(image: Image.Image) -> tuple[np.ndarray, bool]:
    """Stored values (H, W, C) of a picture that Pillow reads in full, and whether the last channel is alpha."""
    image.load()
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    elif image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    elif image.mode in _PLAIN_MODE:
        image = image.convert(_PLAIN_MODE[image.mode])
    return np.atleast_3d(np.asarray(image)), image.mode in ("LA", "RGBA")


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass  # A broken profile is no profile.
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    # Broken metadata, which comes in as many ways as broken pictures, does not make the pixels unreadable.
    except Exception:
        return 1


def _upright(values: np.ndarray, orientation: object) -> np.ndarray:
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return turn(values) if turn else values


def _to_unit_range(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Contiguous float32 in 0..1 by the rules in the table above, and the bits of the source."""
    if values.dtype.kind == "b":
        return np.ascontiguousarray(values, dtype=np.float32), 8
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        bits = 8 * values.dtype.itemsize
        pixels = np.ascontiguousarray(values, dtype=np.float32)
        pixels /= 2**bits - 1
        return pixels, bits
    if not np.isfinite(values).all():
        raise ValueError("holds values that are not finite numbers (NaN or infinity)")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low):
        raise ValueError(f"its range of values, {low} to {high}, is too wide")
    if low < 0 or high > 1:
        # In double precision: large offsets would swallow the differences in float32.
        values = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.ascontiguousarray(values, dtype=np.float32), 32
