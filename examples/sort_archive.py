"""Sort a folder of images into folders by degradation: python examples/sort_archive.py [IMAGES] [OUT]

Without arguments it makes a small archive of degraded images first. Images are copied, none is changed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import ddrscope

# Images with a lower probability are put aside for a person to look at.
MIN_PROBABILITY = 0.5
DEGRADATIONS = ["clean", "blur:3", "noise:20", "jpeg:8", "pixelate:3", "sharpen:6"]


def sort(images: Path, out: Path) -> None:
    for image in ddrscope.identify(images):
        name = Path(image.path).name
        found = image.identification
        if found is None:
            print(f"{name}: {image.error}")
            continue
        certain = found.probability >= MIN_PROBABILITY and not found.unseen
        folder = out / (found.group if certain else "uncertain")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(image.path, folder)
        print(f"{name:<24} {folder.name:<16} {found}")


def make_archive(folder: Path) -> Path:
    """Six bundled photographs, degraded in six ways."""
    for file, degradation in zip(ddrscope.find_images([ddrscope.bundled_photos()]), DEGRADATIONS, strict=False):
        pixels = ddrscope.parse_degradation(degradation).apply(ddrscope.read_image(file).pixels)
        Image.fromarray(np.uint8(np.rint(pixels * 255))).save(folder / f"{degradation.replace(':', '-')}.png")
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(sys.argv[1]) if len(sys.argv) > 1 else make_archive(Path(temporary))
        sort(images, Path(sys.argv[2] if len(sys.argv) > 2 else "sorted"))
