"""The images of a study: several crops of each photograph."""

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
    """Write crops without overlap of every bundled and every test photograph, as ``photograph__1.png`` and so on.

    Args:
        test: Folder, glob or list of the test photographs.
        folder: Where the crops are written.
        crops: Crops of each photograph.
        size: Side of a crop in pixels.
        limit: Use only so many photographs, the test photographs first.
        photo_from: How the files in ``test`` are assigned to photographs.

    Returns:
        The number of photographs.

    Raises:
        InputError: A photograph is too small.
    """
    photos: dict[str, list[ImageFile]] = {}
    for source in (test, bundled_photos()):
        # The bundled photographs are always assigned by their names.
        rule = photo_from if source is test else "prefix"
        for file in assign_photographs(find_images([source]), rule):
            # In the name of a crop, a double underscore separates the photograph from the number.
            photos.setdefault(re.sub(r"[/:]|__+", "-", file.photo), []).append(file)
    chosen_photos = list(photos.items())[:limit]
    # One photograph at a time, since all would not fit into memory.
    for photo, files in chosen_photos:
        grid = [crop for file in files for crop in grid_crops(read_image(file).pixels, size, name=str(file.path))]
        if len(grid) < crops:
            raise InputError(
                f"{photo} has {len(grid)} crops of {size} pixels, but `crops`={crops}: leave it out or give fewer"
            )
        chosen = [grid[(2 * index + 1) * len(grid) // (2 * crops)] for index in range(crops)]
        for index, pixels in enumerate(chosen, 1):
            with atomic_write(folder / f"{photo}__{index}.png") as temporary:
                Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(temporary, "PNG")
    return len(chosen_photos)
