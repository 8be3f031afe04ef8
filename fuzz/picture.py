"""A picture file: numbers in 0..1, or an `UnreadablePicture` with its reason in one line."""

from __future__ import annotations

import numpy as np

from support import instrumented, main, scratch

with instrumented("ddrscope.images", "ddrscope.restoration.files", "PIL", "tifffile"):
    from ddrscope.images import UnreadablePicture, read_picture
    from ddrscope.restoration.files import read_original, write_picture
from ddrscope.errors import InputError

FOLDER = scratch()
FILE, COPY = FOLDER / "picture.png", FOLDER / "copy.png"
# Small, so that what is decoded beyond it shows in memory and time.
MAX_PIXELS = 1 << 16


def target(data: bytes) -> None:
    FILE.write_bytes(data)
    for channels in (1, 3):
        try:
            pixels = read_picture(FILE, channels, MAX_PIXELS).pixels
        except UnreadablePicture as error:
            assert error.reason and error.reason.isprintable()
            continue
        assert pixels.ndim == 3 and pixels.shape[2] == channels and pixels.dtype == np.float32
        assert 0 < pixels.size <= channels * MAX_PIXELS and pixels.min() >= 0 and pixels.max() <= 1
    try:
        original = read_original(FILE, MAX_PIXELS)
    except InputError:
        return
    made = np.rint(original.color * 255).astype(np.uint8)
    write_picture(COPY, made, original.metadata, "png")


if __name__ == "__main__":
    main(target)
