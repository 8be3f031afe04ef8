"""Make the tiles that the bundled identifier is trained on.

    python -m scripts.identifier.tiles HR OUT --per-photo 240 --seed 0

HR is what ``make photos`` makes, with folders ``train`` and ``val``. OUT gets arrays (`TileBank`). Run it with several seeds for more
tiles: 312 photographs with 240 tiles each take 4 GB and ten minutes of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ddrscope.identification.tile_bank import write_tile_bank
from ddrscope.images import find_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--per-photo", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    files = find_images([arguments.hr / "train", arguments.hr / "val"])
    started, done = time.monotonic(), 0

    def advance(tiles: int) -> None:
        nonlocal done
        done += tiles
        print(f"{done} of {len(files) * arguments.per_photo} tiles, {time.monotonic() - started:.0f} s", flush=True)

    write_tile_bank(arguments.out, files, arguments.per_photo, arguments.seed, advance=advance)


if __name__ == "__main__":
    main()
