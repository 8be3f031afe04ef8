"""Prepare the photographs on which the bundled networks are trained and judged.

    python tools/prepare_photos.py UNPACKED OUT

UNPACKED holds the Debian packages lomiri-wallpapers-16.04, lomiri-wallpapers-20.04, mate-backgrounds,
plasma-workspace-wallpapers, kphotoalbum, opencv-doc, gcompris-qt-data, tuxpaint-data, palapeli-data and puzzle-jigsaw, unpacked without
installation:

    apt-get download NAME && dpkg -x NAME_*.deb UNPACKED

OUT receives ``train/``, ``val/`` and ``test/`` with one PNG a photograph, ``snapshots/``: small everyday pictures, to which the
identifier is fitted beside train and val, and which no network sees; and ``gallery/``: animals, monuments, landscapes, to which the
identifier is fitted too, and on which blind networks are trained beside train. The photographs are under the GPL or share-alike
terms: they are used to train and to measure, and never copied into the package. None of the bundled photographs is among them. They
are JPEG and WebP files: shrinking them by two or more removes the traces of compression, so that they count as clean.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
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
    "gallery": tuple(
        f"tuxpaint/templates/{name}.jpg"
        for name in (
            "burnt_bark", "cliff", "corn_maze", "jellyfish", "lighthouse", "mossy_bark", "mossy_log", "mudstone", "ocean_splash",
            "ocean_waves", "redwoods_above", "rocks", "sheep", "spiders_web", "sun_behind_clouds", "sun_behind_leaves", "trees_above",
            "trees_at_dusk", "wool_mill_machine",
        )
    )
    + tuple(
        f"palapeli/collection/{name}.jpg"
        for name in ("castle-maintenon", "cincinnati-bridge", "citrus-fruits", "european-honey-bee", "panther-chameleon-female")
    )
    + (
        "puzzle-jigsaw/samples/cat-animal-cat-portrait-mackerel.jpg",
        "puzzle-jigsaw/samples/pexels-photo-302304.jpeg",
    ),
}
# Qt resource files of gcompris-qt-data, many photographs in each, and which are left out: a drawing, a narrow one, a second view.
RESOURCES = {
    "erase": (),
    "explore_farm_animals": (),
    "explore_monuments": (32, 33),
    "explore_world_animals": (4,),
    "explore_world_music": (2,),
}
# How a picture begins inside of a resource file.
PICTURE = re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb]|RIFF....WEBP", re.DOTALL)
SMALLEST_RESOURCE = 400
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
    files = {path.as_posix(): path for path in sorted(unpacked.rglob("*.*")) if path.suffix in (".jpg", ".jpeg", ".png", ".rcc")}

    def find(name: str) -> Path:
        for text, path in files.items():
            if text.endswith("/" + name):
                return path
        sys.exit(f"{name} is not below {unpacked}: download and unpack the packages named in this script's help")

    for part, sources in SPLIT.items():
        for source in sources:
            with Image.open(find(source)) as file:
                keep(file, out / part / f"{photograph_name(source)}.png")
    for name, left_out in RESOURCES.items():
        for index, picture in enumerate(embedded_pictures(find(f"rcc/{name}.rcc").read_bytes())):
            if index not in left_out:
                keep(picture, out / "gallery" / f"{name.removeprefix('explore_')}-{index}.png")


def embedded_pictures(resource: bytes) -> Iterator[Image.Image]:
    """The larger pictures of a Qt resource file, in order."""
    for begin in PICTURE.finditer(resource):
        try:
            picture = Image.open(io.BytesIO(resource[begin.start() :]))
            picture.load()
        except OSError:
            # What only looked like the beginning of one.
            continue
        if min(picture.size) >= SMALLEST_RESOURCE:
            yield picture


def keep(picture: Image.Image, path: Path) -> None:
    """Save a photograph shrunk until it counts as clean."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture.convert("RGB")
    shrinking = max(SMALLEST_SHRINKING, round(max(picture.size) / TARGET_SIDE))
    size = (picture.width // shrinking, picture.height // shrinking)
    picture.resize(size, Image.Resampling.LANCZOS).save(path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
