"""AVIF, JPEG XL and HEIC, decoded by Pillow, imagecodecs, and pi-heif if it is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from ddrscope.images import jpegxl_header
from ddrscope.images.pillow_files import open_image, orientation, to_stored_values
from ddrscope.images.size_limits import check_size
from ddrscope.images.stored_values import StoredValues

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
INSTALL_HEIC = "pip install 'ddrscope[heic]'"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# The boxes before the pixels, which hold the codec's configuration.
_AVIF_HEAD_BYTES = 1 << 16


def is_avif(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of an AVIF."""
    return head[4:8] == b"ftyp" and (
        head[8:12] in (b"avif", b"avis") or (head[8:12] == b"mif1" and b"avif" in head[16:32])
    )


def is_heif(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of a HEIC or HEIF that is not an AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and not is_avif(head)


def is_heif_readable() -> bool:
    """Whether the library that reads HEIC is installed."""
    return importlib.util.find_spec("pi_heif") is not None


def decode_avif(path: Path, max_pixels: int) -> StoredValues:
    """The values of an AVIF, turned upright; 10 and 12 bits are kept."""
    with open_image(path, ("AVIF",)) as image:
        check_size(image.height, image.width, 1, max_pixels)
        depth = _avif_depth(path)
        if depth == 8:
            stored = to_stored_values(image)
        else:
            # Pillow returns 8 bits.
            values = np.atleast_3d(imagecodecs.avif_decode(path.read_bytes(), index=0, numthreads=1))
            stored = StoredValues(values, values.shape[2] in (2, 4), depth)
        return stored.upright(orientation(image))


def _avif_depth(path: Path) -> int:
    """Bits per sample according to the configuration of the AV1 codec (AV1-ISOBMFF 2.3)."""
    with path.open("rb") as stream:
        head = stream.read(_AVIF_HEAD_BYTES)
    depths = {_av1_depth(flags) for flags in re.findall(rb"av1C..(.)", head, re.DOTALL)}
    # Thumbnail, alpha and gain map have configurations of their own; which is which is not stored in one place.
    if len(depths) != 1:
        raise ValueError("an AVIF of several depths, or that does not say its depth: save it as PNG")
    return depths.pop()


def _av1_depth(flags: bytes) -> int:
    high_bitdepth, twelve_bit = flags[0] & 0x40, flags[0] & 0x20
    return 8 if not high_bitdepth else 12 if twelve_bit else 10


def decode_jpegxl(path: Path, max_pixels: int) -> StoredValues:
    """The values of the first frame of a JPEG XL, turned upright."""
    data = path.read_bytes()
    header = jpegxl_header.read(data)
    # The header's orientation may swap the sides; their product stays the same.
    check_size(header.height, header.width, 1, max_pixels)
    values = np.atleast_3d(imagecodecs.jpegxl_decode(data, index=0, numthreads=1))
    return StoredValues(values, header.alpha, header.bits if values.dtype.kind == "u" else None)


def decode_heif(path: Path, max_pixels: int) -> StoredValues:
    """The values of the main image of a HEIC, turned upright.

    Raises:
        ValueError: The reader is not installed (the message has the line that installs it), or the mode is unsupported.
    """
    image = open_heif(path)
    width, height = image.size
    check_size(height, width, 1, max_pixels)
    mode, _, depth = image.mode.partition(";")
    if mode not in ("L", "LA", "RGB", "RGBA", "I"):
        raise ValueError(f"a HEIC in {image.mode}: save it as PNG")
    # The library has applied the container's rotation; the EXIF orientation repeats it and must be ignored.
    # Copied: the library's array does not keep its memory alive.
    return StoredValues(np.atleast_3d(np.array(image)), mode in ("LA", "RGBA"), int(depth) if depth else None)


def open_heif(path: Path) -> Any:
    """The main image of a HEIC, not decoded. Raises ValueError if the reader is not installed."""
    if not is_heif_readable():
        raise ValueError(f"a HEIC, whose reader is not installed: {INSTALL_HEIC}")
    import pi_heif

    file = pi_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return file[file.primary_index]
