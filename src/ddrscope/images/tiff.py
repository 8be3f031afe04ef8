"""TIFF files: 8 bits and encoded colour through Pillow (libtiff), all other depths through tifffile, by their tags."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, SAMPLEFORMAT

from ddrscope.images import camera_raw
from ddrscope.images.pillow_files import EXIF_ORIENTATION, open_image, to_stored_values
from ddrscope.images.size_limits import check_chunk, check_size
from ddrscope.images.stored_values import StoredValues

# Errors are reported once, with the name of the file.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_COMPRESSIONS = (
    COMPRESSION.NONE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.LZW, COMPRESSION.PACKBITS,
)  # fmt: skip
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 277, 338, 339


def decode_tiff(path: Path, max_pixels: int) -> StoredValues:
    """The values of the first page, turned upright. Raises ValueError for raw files and unsupported TIFFs."""
    try:
        with open_image(path) as image:
            check_size(image.height, image.width, 1, max_pixels)
            tags = image.tag_v2  # type: ignore[attr-defined]
            tile = tags.get(_TILE_LENGTH, 1), tags.get(_TILE_WIDTH, 1)
            # In a crafted file a tag may be a string, which multiplied by a number would be a huge string.
            if not all(isinstance(side, int) for side in tile):
                raise ValueError("its tiles have no size")
            check_chunk((*tile, len(image.getbands())), 4 * max_pixels)
            _check_not_raw(path)
            if _pillow_reads_without_loss(image):
                # Pillow turns TIFFs upright itself.
                return to_stored_values(image)
    except UnidentifiedImageError:
        pass
    with tifffile.TiffFile(path) as tiff:
        if not len(tiff.pages):
            raise ValueError("a TIFF whose first page is missing: it may be cut short, copy or save it again")
        camera_raw.check_not_raw(tiff)
        return _decode_page(tiff.pages.first, max_pixels)


def _check_not_raw(path: Path) -> None:
    try:
        tiff = tifffile.TiffFile(path)
        tiff.pages.first  # noqa: B018
    # A TIFF that Pillow reads and tifffile does not was not made by a camera.
    except Exception:
        return
    with tiff:
        camera_raw.check_not_raw(tiff)


def _decode_page(page: tifffile.TiffPage, max_pixels: int) -> StoredValues:
    check_size(page.imagelength, page.imagewidth, page.samplesperpixel, max_pixels)
    _check_page(page, 4 * max_pixels)
    values = page.asarray(maxworkers=1)
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    stored = StoredValues(
        np.atleast_3d(values),
        alpha=page.extrasamples[-1:] == (EXTRASAMPLE.UNASSALPHA,),
        depth=page.bitspersample if values.dtype.kind == "u" else None,
        inverted=page.photometric == PHOTOMETRIC.MINISWHITE,
    )
    return stored.upright(page.tags.valueof(EXIF_ORIENTATION, default=1))


def _check_page(page: tifffile.TiffPage, max_values: int) -> None:
    """Raise ValueError unless this page is a flat image of a supported sample format and compression."""
    if page.photometric not in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB):
        raise ValueError(f"a TIFF of {page.bitspersample} bits in {page.photometric!s}: save it as grey or RGB")
    if isinstance(page.bitspersample, tuple):
        raise ValueError(f"a TIFF of {page.bitspersample} bits per sample: save it with equal bits for all channels")
    if (
        page.sampleformat not in (SAMPLEFORMAT.UINT, SAMPLEFORMAT.INT, SAMPLEFORMAT.IEEEFP, SAMPLEFORMAT.VOID)
        or page.dtype is None
    ):
        raise ValueError(
            f"a TIFF of {page.bitspersample} bits as {page.sampleformat!s}: save it as 8 or 16 bits unsigned"
        )
    if page.axes not in ("YX", "YXS", "SYX"):
        raise ValueError(f"a TIFF with axes {page.axes}: only flat images with channels can be used")
    if EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
        raise ValueError("a TIFF with premultiplied alpha: save it with straight alpha, or without")
    if page.compression not in _COMPRESSIONS:
        raise ValueError(
            f"a TIFF of this depth compressed as {page.compression!s}: save it with deflate, LZW or uncompressed"
        )
    check_chunk(page.chunks, max_values)


def _pillow_reads_without_loss(image: Image.Image) -> bool:
    """Whether Pillow keeps all bits and samples of this TIFF and interprets them correctly."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, formats = set(tags.get(_BITS, (1,))), set(tags.get(_SAMPLE_FORMAT, (1,)))
    if tags.get(_SAMPLES, 1) > len(image.getbands()):
        return False
    # Unsigned or unspecified. Pillow would take signed bytes for unsigned ones.
    if formats <= {1, 4}:
        deep = bits == {16} and image.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == PHOTOMETRIC.MINISBLACK
        return deep or (len(bits) == 1 and bits <= {1, 2, 4, 8})
    return False
