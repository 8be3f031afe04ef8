"""Changes of images that no identifier was fitted to: does it say that it does not know them?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import median_filter

Pixels = NDArray[np.float32]
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def halftone(pixels: Pixels) -> Pixels:
    """Printed in dots: black and white by a clustered threshold matrix of 4 x 4 pixels."""
    matrix = np.array([[12, 5, 6, 13], [4, 0, 1, 7], [11, 3, 2, 8], [15, 10, 9, 14]], dtype=np.float32)
    height, width = pixels.shape[:2]
    threshold = np.tile((matrix + 0.5) / 16, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    return (pixels > threshold).astype(np.float32)


def dithered(pixels: Pixels) -> Pixels:
    """A palette of 16 colours with error diffusion, as a GIF."""
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).quantize(16, dither=Image.Dither.FLOYDSTEINBERG)
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)


def scan_lines(pixels: Pixels) -> Pixels:
    """Every third row darkened, as of a screen."""
    result = pixels.copy()
    result[::3] *= 0.6
    return result


def moire(pixels: Pixels) -> Pixels:
    """A fine oblique pattern, as of a photographed screen."""
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    pattern = np.sin(0.9 * rows + 0.55 * columns)[..., None] * np.array([0.08, -0.06, 0.07], dtype=np.float32)
    return np.asarray((pixels + pattern).clip(0, 1), dtype=np.float32)


def painted(pixels: Pixels) -> Pixels:
    """Detail removed by a median of 7 x 7 pixels, as by strong denoising."""
    return np.asarray(median_filter(pixels, (7, 7, 1)), dtype=np.float32)


def torn(pixels: Pixels) -> Pixels:
    """Bands of rows displaced, as of a broken transmission."""
    random = np.random.default_rng(0)
    result = pixels.copy()
    for start in range(0, len(result), 24):
        result[start : start + 24] = np.roll(result[start : start + 24], int(random.integers(-30, 31)), axis=1)
    return result


def drawn(pixels: Pixels) -> Pixels:
    """The edges alone, dark on white."""
    grey = pixels @ _LUMA
    edges = np.hypot(*np.gradient(grey))
    return np.repeat((1 - (4 * edges).clip(0, 1))[..., None], 3, axis=2).astype(np.float32)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "halftone": halftone, "dithered": dithered, "scan lines": scan_lines, "moire": moire, "painted": painted,
    "torn": torn, "drawn": drawn,
}  # fmt: skip
