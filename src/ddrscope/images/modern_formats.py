"""AVIF, JPEG XL and HEIC: through Pillow, imagecodecs, and pi-heif where it is installed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from ddrscope.images import jpegxl_header
from ddrscope.images.pillow_files import image_samples, open_image, orientation
from ddrscope.images.size_limits import check_size
from ddrscope.images.stored_values import Samples

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
INSTALL_HEIC = "pip install 'ddrscope[heic]'"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# Where an AVIF says how it is coded: in the boxes before the pixels.
_AVIF_HEAD = 1 << 16


def is_avif(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of an AVIF."""
    return head[4:8] == b"ftyp" and (
        head[8:12] in (b"avif", b"avis") or (head[8:12] == b"mif1" and b"avif" in head[16:32])
    )


def is_heif(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of a HEIC or HEIF that is no AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and not is_avif(head)


def reads_heif() -> bool:
    """Whether the library that reads HEIC is installed."""
    return importlib.util.find_spec("pi_heif") is not None


def decode_avif(path: Path, max_pixels: int) -> Samples:
    """The samples of an AVIF, upright; 10 and 12 bits are kept."""
    with open_image(path, ("AVIF",)) as image:
        check_size(image.height, image.width, 1, max_pixels)
        depth = _avif_depth(path)
        if depth == 8:
            samples = image_samples(image)
        else:
            # Pillow gives 8 bits.
            values = np.atleast_3d(imagecodecs.avif_decode(path.read_bytes(), index=0, numthreads=1))
            samples = Samples(values, values.shape[2] in (2, 4), depth)
        return samples.turned(orientation(image))


def _avif_depth(path: Path) -> int:
    """The bits per sample by the configuration of the AV1 codec (AV1-ISOBMFF 2.3)."""
    with path.open("rb") as stream:
        head = stream.read(_AVIF_HEAD)
    depths = {_av1_depth(flags) for flags in re.findall(rb"av1C..(.)", head, re.DOTALL)}
    # Of thumbnail, alpha and gain map it is not said in one place which configuration is whose.
    if len(depths) != 1:
        raise ValueError("an AVIF of several depths, or that does not say its depth: save it as PNG")
    return depths.pop()


def _av1_depth(flags: bytes) -> int:
    deep, twelve = flags[0] & 0x40, flags[0] & 0x20
    return 8 if not deep else 12 if twelve else 10


def decode_jpegxl(path: Path, max_pixels: int) -> Samples:
    """The samples of the first frame of a JPEG XL, upright."""
    data = path.read_bytes()
    header = jpegxl_header.read(data)
    # The header's orientation may swap the sides, their product stays.
    check_size(header.height, header.width, 1, max_pixels)
    values = np.atleast_3d(imagecodecs.jpegxl_decode(data, index=0, numthreads=1))
    return Samples(values, header.alpha, header.bits if values.dtype.kind == "u" else None)


def decode_heif(path: Path, max_pixels: int) -> Samples:
    """The samples of the main image of a HEIC, upright; raises ValueError with the line that installs its reader, where that is missing."""
    image = open_heif(path)
    width, height = image.size
    check_size(height, width, 1, max_pixels)
    mode, _, depth = image.mode.partition(";")
    if mode not in ("L", "LA", "RGB", "RGBA", "I"):
        raise ValueError(f"a HEIC in {image.mode}: save it as PNG")
    # The library has turned it by what the container says; its EXIF orientation says the same again.
    # A copy: the array that the library lends does not keep the memory it lies in.
    return Samples(np.atleast_3d(np.array(image)), mode in ("LA", "RGBA"), int(depth) if depth else None)


def open_heif(path: Path) -> Any:
    """The main image of a HEIC, not decoded."""
    if not reads_heif():
        raise ValueError(f"a HEIC, whose reader is not installed: {INSTALL_HEIC}")
    import pi_heif

    file = pi_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return file[file.primary_index]
