"""Prepare the photographs on which the bundled networks are trained and judged.

    python tools/prepare_photos.py UNPACKED OUT

UNPACKED holds the Debian packages lomiri-wallpapers-16.04, lomiri-wallpapers-20.04, mate-backgrounds,
plasma-workspace-wallpapers, kphotoalbum and opencv-doc, unpacked without installation:

    apt-get download NAME && dpkg -x NAME_*.deb UNPACKED

OUT receives ``train/``, ``val/`` and ``test/`` with one PNG a photograph, and ``snapshots/``: small everyday pictures, to which the
identifier is fitted beside train and val, and which no network sees. The photographs are under the GPL or share-alike terms: they are
used to train and to measure, and never copied into the package. None of the bundled photographs is among them. They are JPEG
files: shrinking them by two or more removes the traces of compression, so that they count as clean.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

SPLIT = {
    "train": (
        "Dragonfly_by_Bolly.jpg",
        "free_by_Peter_Nerlich.jpg",
        "greentock_by_Peter_Nerlich.jpg",
        "nature/Aqua.jpg",
        "nature/Blinds.jpg",
        "nature/FreshFlower.jpg",
        "nature/Garden.jpg",
        "nature/GreenMeadow.jpg",
        "nature/LadyBird.jpg",
        "nature/Storm.jpg",
        "nature/TwoWings.jpg",
        "nature/Wood.jpg",
        "BytheWater/contents/images/2560x1600.jpg",
        "ColdRipple/contents/images/2560x1600.jpg",
        "FallenLeaf/contents/images/2560x1600.jpg",
        "Kite/contents/images/2560x1600.jpg",
        "OneStandsOut/contents/images/2560x1600.jpg",
        "Path/contents/images/2560x1600.jpg",
    ),
    "val": (
        "Bridge_by_Sander_Klootwijk.jpg",
        "nature/RainDrops.jpg",
        "ColorfulCups/contents/images/2560x1600.jpg",
    ),
    "test": (
        "Kleiber_by_Lukas_Baubkus.jpg",
        "nature/Dune.jpg",
        "nature/YellowFlower.jpg",
        "EveningGlow/contents/images/2560x1600.jpg",
        "Grey/contents/images/2560x1600.jpg",
    ),
    "snapshots": tuple(
        f"kphotoalbum/demo/{name}.jpg"
        for name in (
            "anne_helene", "bar55", "bar55_2", "blackie", "cold_water", "donna", "donna_2", "grand_canyon_1", "grand_canyon_2",
            "grand_canyon_3", "jesper", "jesper_2", "new_wave_1", "new_wave_2", "pool", "pool_2", "qt-logo", "skagen", "skagen_2",
            "snow", "spiff", "spiff_2", "sunset", "wayne",
        )
    )
    + tuple(
        f"opencv-doc/examples/{name}"
        for name in (
            "alphamat/input_images/plant.jpg", "data/aloeL.jpg", "data/baboon.jpg", "data/board.jpg", "data/building.jpg",
            "data/butterfly.jpg", "data/fruits.jpg", "data/graf1.png", "data/leuvenA.jpg", "data/messi5.jpg", "data/rubberwhale1.png",
            "data/squirrel_cls.jpg",
        )
    ),
}
TARGET_SIDE = 1280
SMALLEST_SHRINKING = 2


def photograph_name(source: str) -> str:
    """The photograph's own name: its wallpaper folder where the file is only named by its size."""
    path = Path(source)
    if "demo" in path.parts:
        # Its sunset is not the bundled one.
        return f"kphotoalbum-{path.stem}"
    return path.parts[0] if "contents" in path.parts else path.stem


def main(unpacked: Path, out: Path) -> None:
    files = {path.as_posix(): path for path in sorted(unpacked.rglob("*.[jp][pn]g"))}
    for part, sources in SPLIT.items():
        folder = out / part
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            found = [path for text, path in files.items() if text.endswith("/" + source)]
            if not found:
                sys.exit(
                    f"{source} is not below {unpacked}: download and unpack the packages named in this script's help"
                )
            with Image.open(found[0]) as file:
                picture = file.convert("RGB")
            shrinking = max(SMALLEST_SHRINKING, round(max(picture.size) / TARGET_SIDE))
            size = (picture.width // shrinking, picture.height // shrinking)
            picture.resize(size, Image.Resampling.LANCZOS).save(folder / f"{photograph_name(source)}.png")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
