"""What a file says about its image beside the pixels, as far as it can be kept: colour profile, EXIF, resolution."""

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

EXIF_FOLDER = 0x8769
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
_ICC_PROFILE = 34675
_INCH, _CENTIMETRE = 2, 3
_LARGEST_DPI = 100_000


@dataclass(frozen=True, eq=False)
class Metadata:
    """ICC profile, EXIF, and resolution in dots per inch (across, down); None for what is not there or cannot be read."""

    profile: bytes | None = None
    exif: Image.Exif | None = None
    dpi: tuple[float, float] | None = None


def read_metadata(path: Path, channels: int) -> Metadata:
    """The metadata of a file that was decoded, for an image of 1 or 3 channels; nothing for formats that hold none (.npy).

    A profile of other colours (CMYK, which was turned into sRGB) is left out. Of a JPEG XL nothing is read.
    """
    try:
        profile, exif, dpi = _read(path)
    # Hostile metadata fails in as many ways as hostile pixels.
    except Exception:
        return Metadata()
    return Metadata(profile if _describes(profile, channels) else None, exif if len(exif) else None, dpi)


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
            return _of_tiff(path)
    return info.get("icc_profile"), exif, _checked_dpi(info.get("dpi")) or _resolution(exif)


def _exif(image: Image.Image) -> Image.Exif:
    try:
        exif = image.getexif()
        exif.get_ifd(EXIF_FOLDER)
        return exif
    # What cannot be read is left out, and the colour profile stays.
    except Exception:
        return Image.Exif()


def _of_tiff(path: Path) -> tuple[bytes | None, Image.Exif, tuple[float, float] | None]:
    """Of a TIFF that Pillow does not know: floats, 12 bits and the like."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        profile = tags.valueof(_ICC_PROFILE)
        dpi = _dpi(tags.valueof(X_RESOLUTION), tags.valueof(Y_RESOLUTION), tags.valueof(RESOLUTION_UNIT))
    exif = Image.Exif()
    try:
        with path.open("rb") as stream:
            exif.load_from_fp(stream)
            exif.get_ifd(EXIF_FOLDER)
    # BigTIFF, for one.
    except Exception:
        exif = Image.Exif()
    return (profile if isinstance(profile, bytes) else None), exif, dpi


def _resolution(exif: Image.Exif) -> tuple[float, float] | None:
    return _dpi(exif.get(X_RESOLUTION), exif.get(Y_RESOLUTION), exif.get(RESOLUTION_UNIT))


def _dpi(across: Any, down: Any, unit: Any) -> tuple[float, float] | None:
    if unit not in (_INCH, _CENTIMETRE):
        return None
    factor = 2.54 if unit == _CENTIMETRE else 1.0
    values = [value[0] / value[1] if isinstance(value, tuple) else float(value) for value in (across, down)]
    return _checked_dpi([factor * value for value in values])


def _checked_dpi(dpi: Any) -> tuple[float, float] | None:
    if dpi is None:
        return None
    across, down = (float(value) for value in dpi)
    return (
        (across, down) if all(math.isfinite(value) and 1 <= value <= _LARGEST_DPI for value in (across, down)) else None
    )


def _describes(profile: bytes | None, channels: int) -> bool:
    """Whether a colour profile is of the colours that are written."""
    if not profile:
        return False
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, AttributeError):
        return False
    return space == ("GRAY" if channels == 1 else "RGB")
