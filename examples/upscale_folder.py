"""Enlarge a folder of images from Python: python examples/upscale_folder.py [IMAGES] [OUT]

`ddrscope upscale` does more (16 bits, transparency, profiles, comparisons); this is what to start from inside your own program.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from ddrscope.images import bundled_photos, center_crop, find_images, read_image
from ddrscope.networks import load_network
from ddrscope.upscaling import enlarge


def main(images: Path | None, out: Path) -> None:
    network = load_network("blind-ddr")
    out.mkdir(parents=True, exist_ok=True)
    for file in find_images([images or bundled_photos()])[: None if images else 2]:
        pixels = read_image(file).pixels
        if images is None:
            pixels = center_crop(pixels, 64)
        large = enlarge(network, pixels, network.scale)
        Image.fromarray(large).save(out / f"{Path(file.name).stem}.png")
        print(f"{file.name}: {pixels.shape[1]} x {pixels.shape[0]} -> {large.shape[1]} x {large.shape[0]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, Path(sys.argv[2] if len(sys.argv) > 2 else "large"))
