"""Small JPEG images of what enters a network."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

SIDE = 64


def thumbnail(pixels: np.ndarray) -> bytes:
    """A JPEG of at most `SIDE` pixels a side, from pixels of shape (H, W, C) in 0..1."""
    if pixels.shape[2] not in (1, 3):
        pixels = pixels.mean(axis=2, keepdims=True)
    eight_bits = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(eight_bits[:, :, 0] if eight_bits.shape[2] == 1 else eight_bits)
    factor = SIDE / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    # Enlarged without smoothing, so that single pixels stay visible.
    resample = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BOX
    file = io.BytesIO()
    image.resize(size, resample).save(file, "JPEG", quality=85)
    return file.getvalue()
