"""Hashes of decoded pixels, and the steps that reduce an original photograph to the image of the set."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image, ImageOps


def upright(image: Image.Image) -> Image.Image:
    """The image in RGB, rotated according to its EXIF orientation."""
    return ImageOps.exif_transpose(image).convert("RGB")


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 of ``WIDTHxHEIGHT``, a line feed, and the RGB bytes row by row. It does not depend on the file format."""
    image = image.convert("RGB")
    return hashlib.sha256(f"{image.width}x{image.height}\n".encode() + image.tobytes()).hexdigest()


def stored_image(path: Path) -> Image.Image | None:
    """The decoded image, or None if the file is missing or cannot be read."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None


def reduce(image: Image.Image, steps: str) -> Image.Image:
    """Apply steps, separated by spaces, in order.

    ``shrink:F`` divides both sides by F, rounded down, with a Lanczos filter. ``short:N`` shrinks the shorter side to N pixels if it
    is longer, with a Lanczos filter. ``middle:N`` crops the middle N x N pixels. ``jpeg:Q`` encodes and decodes a JPEG of quality Q
    without chroma subsampling.
    """
    for step in steps.split():
        name, value = step.split(":")
        if name == "shrink":
            image = image.resize(
                (int(image.width / float(value)), int(image.height / float(value))), Image.Resampling.LANCZOS
            )
        elif name == "short":
            ratio = int(value) / min(image.size)
            if ratio < 1:
                image = image.resize(
                    (round(image.width * ratio), round(image.height * ratio)), Image.Resampling.LANCZOS
                )
        elif name == "middle":
            side = int(value)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        elif name == "jpeg":
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=int(value), subsampling=0)
            image = Image.open(stream).convert("RGB")
        else:
            raise ValueError(f"unknown step {step}")
    return image
