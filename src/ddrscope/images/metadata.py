"""Colour profile, EXIF and resolution of an image file, as far as they can be kept."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile
from PIL import Image, ImageCms, UnidentifiedImageError

from ddrscope.images import tiff
from ddrscope.images.modern_formats import is_heif, open_heif
from ddrscope.images.pillow_files import open_image

EXIF_IFD = 0x8769
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
_ICC_PROFILE = 34675
_INCH, _CENTIMETRE = 2, 3
_MAX_DPI = 100_000


@dataclass(frozen=True, eq=False)
class Metadata:
    """Metadata that is copied to a new version of an image. None: absent or unreadable.

    Attributes:
        profile: ICC profile of the colours that are written.
        exif: EXIF data.
        dpi: Resolution in dots per inch, horizontal and vertical.
    """

    profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple[float, float] | None = None


def read_metadata(path: Path, channels: int) -> Metadata:
    """Read the metadata of an image file.

    Nothing is read of a JPEG XL and of formats without metadata (.npy).

    Args:
        path: A file that can be decoded.
        channels: 1 or 3, the colour channels that are written. A profile of other colours, as of a CMYK file that was
            converted to sRGB, is omitted.
    """
    try:
        profile, exif, dpi = _read(path)
    # Crafted metadata raises exceptions of many types.
    except Exception:
        return Metadata()
    return Metadata(profile if _matches(profile, channels) else None, exif if len(exif) else None, dpi)


def _read(path: Path) -> tuple[bytes | None, Image.Exif, tuple[float, float] | None]:
    with path.open("rb") as stream:
        head = stream.read(32)
    if is_heif(head):
        info: Mapping[str, Any] = open_heif(path).info
        exif = Image.Exif()
        exif.load(info.get("exif") or b"")
    else:
        try:
            with open_image(path) as image:
                info, exif = {str(key): value for key, value in image.info.items()}, _exif(image)
        except UnidentifiedImageError:
            if not head.startswith(tiff.MAGIC):
                raise
            return _read_tiff(path)
    return info.get("icc_profile"), exif, _checked_dpi(info.get("dpi")) or _resolution(exif)


def _exif(image: Image.Image) -> Image.Exif:
    try:
        exif = image.getexif()
        exif.get_ifd(EXIF_IFD)
        return exif
    # Unreadable EXIF is omitted; the colour profile is kept.
    except Exception:
        return Image.Exif()


def _read_tiff(path: Path) -> tuple[bytes | None, Image.Exif, tuple[float, float] | None]:
    """The metadata of a TIFF that Pillow does not read, such as floats and 12 bits."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        profile = tags.valueof(_ICC_PROFILE)
        dpi = _dpi(tags.valueof(X_RESOLUTION), tags.valueof(Y_RESOLUTION), tags.valueof(RESOLUTION_UNIT))
    exif = Image.Exif()
    try:
        with path.open("rb") as stream:
            exif.load_from_fp(stream)
            exif.get_ifd(EXIF_IFD)
    # Pillow does not read the EXIF of a BigTIFF.
    except Exception:
        exif = Image.Exif()
    return (profile if isinstance(profile, bytes) else None), exif, dpi


def _resolution(exif: Image.Exif) -> tuple[float, float] | None:
    return _dpi(exif.get(X_RESOLUTION), exif.get(Y_RESOLUTION), exif.get(RESOLUTION_UNIT))


def _dpi(horizontal: Any, vertical: Any, unit: Any) -> tuple[float, float] | None:
    if unit not in (_INCH, _CENTIMETRE):
        return None
    factor = 2.54 if unit == _CENTIMETRE else 1.0
    values = [value[0] / value[1] if isinstance(value, tuple) else float(value) for value in (horizontal, vertical)]
    return _checked_dpi([factor * value for value in values])


def _checked_dpi(dpi: Any) -> tuple[float, float] | None:
    if dpi is None:
        return None
    horizontal, vertical = (float(value) for value in dpi)
    is_valid = all(math.isfinite(value) and 1 <= value <= _MAX_DPI for value in (horizontal, vertical))
    return (horizontal, vertical) if is_valid else None


def _matches(profile: bytes | None, channels: int) -> bool:
    """Whether an ICC profile describes images of ``channels`` channels."""
    if not profile:
        return False
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, AttributeError):
        return False
    return space == ("GRAY" if channels == 1 else "RGB")
