"""Image files that Pillow reads in full."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from ddrscope.images.size_limits import check_size
from ddrscope.images.stored_values import Samples

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
EXIF_ORIENTATION = 0x0112
_PLAIN_MODE = {
    "1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB",
}  # fmt: skip
_pillow_limit = threading.Lock()


def open_image(file: Path | BinaryIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """An image file opened by Pillow, of the allowed formats and of any size, not decoded; whatever is wrong with it raises."""
    # Pillow's own size limit is a process-wide setting; ours is an argument, checked right after this.
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        except UnidentifiedImageError:
            raise UnidentifiedImageError(
                "not a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL, HEIC or .npy file, or a corrupt one"
            ) from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def decode_image(path: Path, head: bytes, max_pixels: int) -> Samples:
    """The samples of a file that is no TIFF, upright."""
    with open_image(path) as image:
        check_size(image.height, image.width, 1, max_pixels)
        bit_depth, color_type = head[24:26] if image.format == "PNG" else (8, 0)
        # Pillow drops the low byte of 16-bit PNGs in colour or with alpha, and passes over a transparent grey.
        if bit_depth == 16 and (color_type != 0 or "transparency" in image.info):
            values = imagecodecs.png_decode(path.read_bytes())
            samples = Samples(values, values.shape[2] in (2, 4))
        else:
            if bit_depth in (2, 4) and color_type == 0 and isinstance(image.info.get("transparency"), int):
                # Pillow spreads such greys over 8 bits, but not the one that is transparent.
                image.info["transparency"] *= 255 // (2**bit_depth - 1)
            samples = image_samples(image)
            # Of many writers the fourth byte of a BMP means nothing and is 0; every viewer shows such a file as opaque.
            if image.format == "BMP" and samples.alpha and not samples.values[..., -1].any():
                samples = Samples(samples.values[..., :-1])
        return samples.turned(orientation(image))


def image_samples(image: Image.Image) -> Samples:
    """The stored values of an image that Pillow reads in full."""
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
    return Samples(np.atleast_3d(np.asarray(image)), image.mode in ("LA", "RGBA"))


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none that can be read."""
    try:
        return image.getexif().get(EXIF_ORIENTATION, 1)
    # Broken metadata, which comes in as many ways as broken images, does not make the pixels unreadable.
    except Exception:
        return 1


def _to_srgb(image: Image.Image) -> Image.Image | None:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass  # A broken profile is no profile.
    return None


def _lab_to_srgb(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("its Lab colours cannot be converted: save it as RGB")
    return converted
