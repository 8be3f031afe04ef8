"""Image files that Pillow reads without loss."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ddrscope.images.size_limits import check_size
from ddrscope.images.stored_values import StoredValues

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
EXIF_ORIENTATION = 0x0112
_PLAIN_MODE = {
    "1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB",
}  # fmt: skip
_pillow_limit_lock = threading.Lock()


def open_image(file: Path | BinaryIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Open an image file with Pillow without decoding it.

    The file may have any size: call `check_size` next. Pillow raises exceptions of many types on broken files.
    """
    # Pillow's own size limit is a process-wide setting, ours is an argument.
    with _pillow_limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        except UnidentifiedImageError:
            raise UnidentifiedImageError(
                "not a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL, HEIC or .npy file, or a corrupt one"
            ) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def decode_image(path: Path, head: bytes, max_pixels: int) -> StoredValues:
    """The values of an image file that is not a TIFF, turned upright. ``head``: its first 32 bytes."""
    with open_image(path) as image:
        check_size(image.height, image.width, 1, max_pixels)
        bit_depth, color_type = head[24:26] if image.format == "PNG" else (8, 0)
        # Pillow drops the low byte of 16-bit PNGs with colour or alpha, and ignores a transparent grey.
        if bit_depth == 16 and (color_type != 0 or "transparency" in image.info):
            values = imagecodecs.png_decode(path.read_bytes())
            stored = StoredValues(values, values.shape[2] in (2, 4))
        else:
            if bit_depth in (2, 4) and color_type == 0 and isinstance(image.info.get("transparency"), int):
                # Pillow scales such greys to 8 bits, but not the transparent one.
                image.info["transparency"] *= 255 // (2**bit_depth - 1)
            stored = to_stored_values(image)
            # Many programs write a fourth byte of 0 without meaning; every viewer shows such a BMP as opaque.
            if image.format == "BMP" and stored.alpha and not stored.values[..., -1].any():
                stored = StoredValues(stored.values[..., :-1])
        return stored.upright(orientation(image))


def to_stored_values(image: Image.Image) -> StoredValues:
    """The values of an image that Pillow reads without loss, converted to grey or RGB, with or without alpha."""
    image.load()
    if image.mode == "CMYK":
        image = _to_srgb(image) or image.convert("RGB")
    elif image.mode == "LAB":
        image = _lab_to_srgb(image)
    elif image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    elif image.mode in _PLAIN_MODE:
        image = image.convert(_PLAIN_MODE[image.mode])
    return StoredValues(np.atleast_3d(np.asarray(image)), image.mode in ("LA", "RGBA"))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 if there is none that can be read."""
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    # Broken metadata raises exceptions of many types. The pixels are readable all the same.
    except Exception:
        return 1


def _to_srgb(image: Image.Image) -> Image.Image | None:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass  # A broken profile is ignored.
    return None


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("its Lab colours cannot be converted: save it as RGB")
    return converted
