"""Upscale images as arrays in your own program: python examples/upscale_folder.py [IMAGES] [OUT]

For files, `ddrscope.upscale` does more: 16 bits, transparency, profiles, comparisons, resumed runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

import ddrscope


def main(images: Path | None, out: Path) -> None:
    network = ddrscope.load_network("blind-ddr")
    out.mkdir(parents=True, exist_ok=True)
    for file in ddrscope.find_images([images or ddrscope.bundled_photos()])[: None if images else 2]:
        pixels = ddrscope.read_image(file).pixels
        if images is None:
            pixels = pixels[:64, :64]
        large = ddrscope.enlarge(network, pixels, network.scale)
        Image.fromarray(large).save(out / f"{Path(file.name).stem}.png")
        print(f"{file.name}: {pixels.shape[1]} x {pixels.shape[0]} -> {large.shape[1]} x {large.shape[0]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, Path(sys.argv[2] if len(sys.argv) > 2 else "large"))
