"""Writing image files that keep the depth and metadata of their source."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddrscope.errors import InputError
from ddrscope.images.metadata import EXIF_IFD, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION, Metadata
from ddrscope.io.files import atomic_write

# Pillow's format by suffix. Only PNG is written with 16 bits.
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF"}
_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"quality": 95},
}
_MAX_SIDE = {"jpg": 65_500, "webp": 16_383}
_MAX_JPEG_EXIF_BYTES = 65_000
_ORIENTATION, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x0112, 0xA002, 0xA003
# Description, maker, model, resolution and its unit, software, date, artist, copyright. The other tags of a TIFF
# describe the layout of its own pixels.
_KEPT_TAGS = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
# Exposure and GPS.
_KEPT_IFDS = (EXIF_IFD, 0x8825)
_PNG_HEADER_BYTES = 8 + 25


def check_format(format: str, width: int, height: int, alpha: bool) -> None:
    """Raise `InputError` if ``format``, a key of `FORMATS`, cannot hold an image of this size or transparency."""
    if format == "jpg" and alpha:
        raise InputError("JPEG has no transparency: give `format`=png or webp")
    max_side = _MAX_SIDE.get(format)
    if max_side and max(width, height) > max_side:
        raise InputError(f"{format} holds at most {max_side} pixels a side, not {width} x {height}: give `format`=png")


def write_image(path: Path, pixels: NDArray[np.unsignedinteger], metadata: Metadata, format: str) -> None:
    """Write an image file atomically, with the metadata of its source.

    The orientation in the EXIF data becomes upright, the size that of ``pixels``. EXIF data that does not fit into a
    JPEG is omitted. The resolution stays the same, so an enlarged image is larger in print.

    Args:
        path: The file to write.
        pixels: uint8 (H, W, C), or uint16 for PNG; C = 1 or 3, and one more for transparency.
        metadata: Metadata of the source.
        format: A key of `FORMATS`.
    """
    height, width, channels = pixels.shape
    exif = _upright_exif(metadata, width, height, format)
    if format == "jpg" and exif and len(exif) > _MAX_JPEG_EXIF_BYTES:
        exif = None
    with atomic_write(path) as temporary:
        if pixels.dtype == np.uint16:
            png = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=4))
            temporary.write_bytes(_insert_metadata(png, metadata, exif))
            return
        image = Image.fromarray(pixels[..., 0] if channels == 1 else np.ascontiguousarray(pixels))
        options = {
            "icc_profile": metadata.profile,
            "exif": _for_tiff(exif) if exif and format == "tif" else exif,
            "dpi": None if format == "webp" else metadata.dpi,
        }
        image.save(
            temporary,
            FORMATS[format],
            **_OPTIONS.get(FORMATS[format], {}),
            **{key: value for key, value in options.items() if value},
        )


def _upright_exif(metadata: Metadata, width: int, height: int, format: str) -> bytes | None:
    """The EXIF data for an upright image of this size; None if there is none, or it cannot be written."""
    source, exif = metadata.exif or Image.Exif(), Image.Exif()
    try:
        # A WebP has no other place for the resolution.
        if metadata.dpi and format == "webp":
            exif.update({X_RESOLUTION: metadata.dpi[0], Y_RESOLUTION: metadata.dpi[1], RESOLUTION_UNIT: 2})
        exif.update({tag: _as_bytes(source[tag]) for tag in _KEPT_TAGS if tag in source})
        if _ORIENTATION in source:
            exif[_ORIENTATION] = 1
        for ifd in _KEPT_IFDS:
            exif.get_ifd(ifd).update(source.get_ifd(ifd))
        exposure = exif.get_ifd(EXIF_IFD)
        exposure.update(
            {tag: side for tag, side in ((_PIXEL_WIDTH, width), (_PIXEL_HEIGHT, height)) if tag in exposure}
        )
        return exif.tobytes() if len(exif) or exposure else None
    # Crafted values that Pillow reads but cannot write.
    except Exception:
        return None


def _as_bytes(value: Any) -> Any:
    """A text as its stored bytes. Pillow reads texts as Latin-1, and would write a ? for each letter beyond ASCII."""
    return value.encode("latin-1") if isinstance(value, str) else value


def _for_tiff(exif: bytes) -> Image.Exif:
    """The same EXIF data as an object with texts as bytes: the TIFF writer would read them from the bytes as texts."""
    loaded = Image.Exif()
    loaded.load(exif)
    loaded.update({tag: _as_bytes(value) for tag, value in loaded.items()})
    return loaded


def _insert_metadata(png: bytes, metadata: Metadata, exif: bytes | None) -> bytes:
    """A PNG with metadata, which imagecodecs does not write, in chunks directly after the header."""
    chunks = []
    if metadata.profile:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.profile)))
    if metadata.dpi:
        pixels_per_metre = (round(dots / 0.0254) for dots in metadata.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *pixels_per_metre, 1)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    return b"".join([png[:_PNG_HEADER_BYTES], *chunks, png[_PNG_HEADER_BYTES:]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
