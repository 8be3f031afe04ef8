"""Fuzz target: an image file is read as numbers in 0..1, or raises `UnreadableImage` with a reason of one line."""

from __future__ import annotations

import numpy as np

from support import instrumented, main, scratch

with instrumented("ddrscope.images", "PIL", "tifffile"):
    from ddrscope.images import UnreadableImage, read_image, read_source_image, write_image
from ddrscope.errors import InputError

FOLDER = scratch()
FILE, COPY = FOLDER / "image.png", FOLDER / "copy.png"
# Small, so that decoding beyond the limit shows in memory and time.
MAX_PIXELS = 1 << 16


def target(data: bytes) -> None:
    FILE.write_bytes(data)
    for channels in (1, 3):
        try:
            pixels = read_image(FILE, channels, MAX_PIXELS).pixels
        except UnreadableImage as error:
            assert error.reason and error.reason.isprintable()
            continue
        assert pixels.ndim == 3 and pixels.shape[2] == channels and pixels.dtype == np.float32
        assert 0 < pixels.size <= channels * MAX_PIXELS and pixels.min() >= 0 and pixels.max() <= 1
    try:
        original = read_source_image(FILE, MAX_PIXELS)
    except InputError:
        return
    pixels = np.rint(original.color * 255).astype(np.uint8)
    write_image(COPY, pixels, original.metadata, "png")


if __name__ == "__main__":
    main(target)
