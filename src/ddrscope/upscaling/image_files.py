"""Images in and out as a photographer expects it: depth, transparency, colour profile, EXIF and resolution stay."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ddrscope.errors import InputError
from ddrscope.images.decoding import MAX_PIXELS, decode
from ddrscope.images.metadata import EXIF_FOLDER, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION, Metadata, read_metadata
from ddrscope.io.files import atomic_write

# Suffix to Pillow's format; only PNG holds 16 bits here.
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF"}
OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": 4},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"quality": 95},
}
# The longest side a format holds, and the most bytes of EXIF (of a JPEG).
LONGEST = {"jpg": 65_500, "webp": 16_383}
LONGEST_EXIF = 65_000
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0xA002, 0xA003
# Description, maker, model, resolution and its unit, software, date, artist, copyright; the folders of exposure and of place. What else
# a TIFF says there is how its own pixels lie.
_KEPT = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
_KEPT_FOLDERS = (EXIF_FOLDER, 0x8825)


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An image as it is enlarged: ``color`` (H, W, 1 or 3) and ``alpha`` (H, W, 1) or None, float32 in 0..1; what its file says beside.

    ``bits`` of a channel are 8 or 16.
    """

    color: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    bits: int
    metadata: Metadata

    @property
    def rgb(self) -> NDArray[np.float32]:
        """The colour (H, W, 3); grey in all three."""
        return self.color if self.color.shape[2] == 3 else np.repeat(self.color, 3, axis=2)


def read_source_image(path: Path, max_pixels: int = MAX_PIXELS) -> SourceImage:
    """Read an image file with all that is to be kept; raises `UnreadableImage`, or `InputError` for channels that are no colours."""
    raster = decode(path, max_pixels)
    color, alpha = raster.values, None
    if raster.alpha:
        color, alpha = color[..., :-1], color[..., -1:]
    if color.shape[2] not in (1, 3):
        raise InputError(f"{path}: has {color.shape[2]} channels: grey or RGB is needed")
    return SourceImage(color, alpha, 8 if raster.bits == 8 else 16, read_metadata(path, color.shape[2]))


def check_format(format: str, width: int, height: int, alpha: bool) -> None:
    """Raise `InputError` where ``format`` holds no such image, before it is made."""
    if format == "jpg" and alpha:
        raise InputError("JPEG has no transparency: choose --format png or webp")
    if max(width, height) > LONGEST.get(format, max(width, height)):
        raise InputError(
            f"{format} holds at most {LONGEST[format]} pixels a side, not {width} x {height}: choose --format png"
        )


def write_image(path: Path, pixels: NDArray[np.unsignedinteger], metadata: Metadata, format: str) -> None:
    """Write (H, W, C) in uint8, or uint16 as PNG, as ``format``, one of `FORMATS`, with the original's metadata, atomically.

    EXIF that does not fit into a JPEG is left out. The resolution is written as it was: printed at it, an enlarged image is larger.
    """
    height, width, channels = pixels.shape
    exif = _upright_exif(metadata, width, height, format)
    if format == "jpg" and exif and len(exif) > LONGEST_EXIF:
        exif = None
    with atomic_write(path) as temporary:
        if pixels.dtype == np.uint16:
            png = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=4))
            temporary.write_bytes(_with_chunks(png, metadata, exif))
            return
        image = Image.fromarray(pixels[..., 0] if channels == 1 else np.ascontiguousarray(pixels))
        written = _for_tiff(exif) if exif and format == "tif" else exif
        kept = {"icc_profile": metadata.profile, "exif": written, "dpi": None if format == "webp" else metadata.dpi}
        image.save(
            temporary,
            FORMATS[format],
            **OPTIONS.get(FORMATS[format], {}),
            **{key: value for key, value in kept.items() if value},
        )


def _upright_exif(metadata: Metadata, width: int, height: int, format: str) -> bytes | None:
    """What is said of the photograph, for an image that was turned upright and enlarged; None where it cannot be written."""
    exif, kept = metadata.exif or Image.Exif(), Image.Exif()
    try:
        # The one place for the resolution in a WebP.
        if metadata.dpi and format == "webp":
            kept.update({X_RESOLUTION: metadata.dpi[0], Y_RESOLUTION: metadata.dpi[1], RESOLUTION_UNIT: 2})
        kept.update({key: _as_stored(exif[key]) for key in _KEPT if key in exif})
        if _ORIENTATION in exif:
            kept[_ORIENTATION] = 1
        for folder in _KEPT_FOLDERS:
            kept.get_ifd(folder).update(exif.get_ifd(folder))
        inner = kept.get_ifd(EXIF_FOLDER)
        inner.update({key: side for key, side in ((_WIDTH, width), (_HEIGHT, height)) if key in inner})
        return kept.tobytes() if len(kept) or inner else None
    # Hostile values that Pillow read but cannot write.
    except Exception:
        return None


def _as_stored(value: Any) -> Any:
    """A text, which Pillow reads as Latin-1 whatever it is, as the bytes it was: of a text it writes a ? for each letter beyond ASCII."""
    return value.encode("latin-1") if isinstance(value, str) else value


def _for_tiff(exif: bytes) -> Image.Exif:
    """The same, with texts that are kept: the writer of TIFF would read them from bytes."""
    read = Image.Exif()
    read.load(exif)
    read.update({key: _as_stored(value) for key, value in read.items()})
    return read


def _with_chunks(png: bytes, metadata: Metadata, exif: bytes | None) -> bytes:
    """A PNG with the metadata, which imagecodecs leaves out; all go right behind the header."""
    header = 8 + 25
    chunks = []
    if metadata.profile:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.profile)))
    if metadata.dpi:
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *(round(dots / 0.0254) for dots in metadata.dpi), 1)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    return b"".join([png[:header], *chunks, png[header:]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
