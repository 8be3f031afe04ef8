"""The images of the study: several crops of each photograph that was never trained on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from ddrscope.errors import InputError
from ddrscope.images import ImageFile, assign_photographs, bundled_photos, find_images, grid_crops, read_image
from ddrscope.io.files import atomic_write


def write_crops(
    test: str, folder: Path, crops: int, size: int, limit: int | None = None, photo_from: str = "prefix"
) -> int:
    """Cut ``crops`` crops of ``size`` pixels, without overlap, from every bundled and every ``test`` photograph into ``folder``.

    ``limit`` takes only so many photographs, the ``test`` ones first. The crops
    are called ``photograph__1.png`` and so on. Returns the number of photographs. Raises `InputError` for a photograph too small.
    """
    photos: dict[str, list[ImageFile]] = {}
    for source in (test, bundled_photos()):
        # The bundled crops go by their names in any case.
        rule = photo_from if source is test else "prefix"
        for file in assign_photographs(find_images([source]), rule):
            # A crop's name has a double underscore before its number only.
            photos.setdefault(re.sub(r"[/:]|__+", "-", file.photo), []).append(file)
    chosen_photos = list(photos.items())[:limit]
    # One after the other: all of them would not fit into memory.
    for photo, files in chosen_photos:
        found = [crop for file in files for crop in grid_crops(read_image(file).pixels, size, name=str(file.path))]
        if len(found) < crops:
            raise InputError(
                f"{photo} has room for {len(found)} crops of {size} pixels, not for {crops}: leave it out or give fewer --crops"
            )
        chosen = [found[(2 * index + 1) * len(found) // (2 * crops)] for index in range(crops)]
        for index, pixels in enumerate(chosen, 1):
            with atomic_write(folder / f"{photo}__{index}.png") as temporary:
                Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(temporary, "PNG")
    return len(chosen_photos)
