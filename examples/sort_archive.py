"""Sort a folder of images into folders by what is wrong with them: python examples/sort_archive.py [IMAGES] [OUT]

Without arguments it makes itself a small archive of damaged images. Images are copied, none is changed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ddrscope.degradations import parse_degradation
from ddrscope.identification import load_identifier
from ddrscope.images import UnreadableImage, bundled_photos, find_images, read_image

# What is less probable than this is put aside for somebody to look at.
SURE = 0.5
DAMAGES = ["clean", "blur:3", "noise:20", "jpeg:8", "pixelate:3", "sharpen:6"]


def sort(images: Path, out: Path) -> None:
    identifier = load_identifier()
    for file in find_images([images]):
        try:
            found = identifier.identify(read_image(file).pixels)
        except UnreadableImage as error:
            print(f"{file.name}: {error.reason}")
            continue
        sure = found.probability >= SURE and not found.unseen
        folder = out / (found.group if sure else "look-at-these")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file.path, folder)
        print(f"{file.name:<24} {folder.name:<16} {found}")


def make_archive(folder: Path) -> Path:
    """Six bundled photographs, damaged in six ways."""
    for file, damage in zip(find_images([bundled_photos()]), DAMAGES, strict=False):
        pixels = parse_degradation(damage).apply(read_image(file).pixels, seed=0, scale=1)
        Image.fromarray(np.uint8(np.rint(pixels * 255))).save(folder / f"{damage.replace(':', '-')}.png")
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(sys.argv[1]) if len(sys.argv) > 1 else make_archive(Path(temporary))
        sort(images, Path(sys.argv[2] if len(sys.argv) > 2 else "sorted"))
