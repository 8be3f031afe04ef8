"""Write the bundled photographs: clean 256 x 256 crops of freely licensed photographs, and their credits.

    python -m scripts.bundle.photographs FOLDER [FOLDER ...] [--out src/ddrscope/data/photos]

FOLDER holds unpacked packages: a site-packages with scikit-image and scikit-learn, or the contents of the Debian package
lomiri-wallpapers-16.04 (`dpkg -x FILE.deb FOLDER`). Most sources are JPEG, so they are shrunk before cropping: coding artifacts would
pass for clean detail otherwise. No network is trained on these photographs. Only CC0, CC-BY and public-domain sources are allowed.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import DatasetCardData
from PIL import Image, ImageOps

from scripts.bundle.cards import with_head

CROP = 256
LICENCE_URLS = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-2.0": "https://creativecommons.org/licenses/by/2.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "Public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}
# Identifiers of the hub, which has none for the public domain.
HUB_LICENCES = {"CC0-1.0": "cc0-1.0", "CC-BY-2.0": "cc-by-2.0", "CC-BY-4.0": "cc-by-4.0", "Public domain": "other"}
WALLPAPERS = "Debian lomiri-wallpapers-16.04 20.04.0-2"
SKIMAGE = "PyPI scikit-image 0.26.0"
SKLEARN = "PyPI scikit-learn"


@dataclass(frozen=True)
class Source:
    """A photograph and its crops: `corners` are (left, top) in pixels after shrinking by the factor `shrink`."""

    photograph: str
    author: str
    licence: str
    package: str
    file: str
    shrink: float
    corners: tuple[tuple[int, int], ...]


def wallpaper(
    photograph: str, author: str, licence: str, name: str, shrink: float, *corners: tuple[int, int]
) -> Source:
    return Source(photograph, author, licence, WALLPAPERS, f"usr/share/backgrounds/{name}", shrink, corners)


def skimage(photograph: str, author: str, licence: str, name: str, shrink: float, *corners: tuple[int, int]) -> Source:
    return Source(photograph, author, licence, SKIMAGE, f"skimage/data/{name}", shrink, corners)


def sklearn(photograph: str, author: str, licence: str, name: str, shrink: float, *corners: tuple[int, int]) -> Source:
    return Source(photograph, author, licence, SKLEARN, f"sklearn/datasets/images/{name}", shrink, corners)


BERASATEGI = "Aitzol Berasategi"
SOURCES = (
    wallpaper("aitzgorri", BERASATEGI, "CC-BY-4.0", "aitzgorri_by_Aitzol_Berasategi.jpg", 4, (10, 90), (500, 140)),
    wallpaper("friends", BERASATEGI, "CC-BY-4.0", "friends_by_Aitzol_Berasategi.jpg", 4, (130, 190), (240, 490)),
    wallpaper("stream", BERASATEGI, "CC-BY-4.0", "life_by_Aitzol_Berasategi.jpg", 4, (0, 20), (258, 130), (516, 200)),
    wallpaper(
        "picosdeeuropa",
        BERASATEGI,
        "CC-BY-4.0",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        4,
        (20, 30),
        (400, 70),
        (150, 330),
    ),
    wallpaper("fig", 'Trevor "Freespace"', "CC-BY-4.0", "Picture_0B_by_freespace.jpg", 4, (0, 0), (256, 110)),
    wallpaper("brushes", 'Trevor "Freespace"', "CC-BY-4.0", "Picture_1A_by_freespace.jpg", 2, (5, 5), (266, 20)),
    wallpaper("dandelion", "Clemens Engelhardt", "CC0-1.0", "seeding_by_Clements_Engelhardt.jpg", 6, (135, 25)),
    wallpaper("sunset", BERASATEGI, "CC-BY-4.0", "sunset_by_Aitzol_Berasategi.jpg", 5, (120, 313), (500, 313)),
    wallpaper("wine", "Jakub Mede", "CC-BY-4.0", "Wine_by_Jakkub_Mede.jpg", 5, (130, 90), (120, 350)),
    skimage("astronaut", "NASA", "Public domain", "astronaut.png", 1, (100, 0), (0, 256), (256, 256)),
    skimage("camera", "Lav Varshney", "CC0-1.0", "camera.png", 1, (110, 0), (180, 256)),
    skimage("coffee", "Rachel Michetti", "CC0-1.0", "coffee.png", 1, (88, 0), (344, 140)),
    skimage("chelsea", "Stefan van der Walt", "CC0-1.0", "chelsea.png", 1, (98, 20)),
    skimage("rocket", "SpaceX", "Public domain", "rocket.jpg", 1.6, (0, 6)),
    sklearn("china", "danielbuechele (Flickr)", "CC-BY-2.0", "china.jpg", 1.6, (40, 6)),
    # The README of the package repeats the author of china.jpg; the address of the photograph names the right one.
    sklearn("flower", "vultilion (Flickr)", "CC-BY-2.0", "flower.jpg", 1.6, (54, 6)),
)


def find_source(folders: list[Path], file: str) -> Path:
    candidates = [path for folder in folders for path in (folder / file, *sorted(folder.glob(f"*/{file}")))]
    for path in candidates:
        if path.is_file():
            return path
    raise SystemExit(f"{file}: not below {', '.join(map(str, folders))}; unpack its package there")


def shrink_source(source: Source, path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if source.shrink == 1:
        return image
    size = (int(image.width / source.shrink), int(image.height / source.shrink))
    return image.resize(size, Image.Resampling.LANCZOS)


def write_crops(source: Source, path: Path, out: Path) -> list[dict[str, str]]:
    image = shrink_source(source, path)
    how = "" if source.shrink == 1 else f"shrunk {source.shrink:g} times with a Lanczos filter, then "
    rows = []
    for number, (left, top) in enumerate(source.corners, start=1):
        file = f"{source.photograph}__{number}.png"
        if left + CROP > image.width or top + CROP > image.height:
            raise SystemExit(f"{file}: the crop exceeds the shrunk image of {image.width} x {image.height}")
        # A new image: the crop must not carry the metadata of the source (color profile, comments, software).
        crop = Image.frombytes("RGB", (CROP, CROP), image.crop((left, top, left + CROP, top + CROP)).tobytes())
        crop.save(out / file, optimize=True)
        rows.append(
            {
                "file": file,
                "photograph": source.photograph,
                "author": source.author,
                "licence": source.licence,
                "licence_url": LICENCE_URLS[source.licence],
                "source_package": source.package,
                "source_file": source.file,
                "changes": f"{how}cropped to {CROP} x {CROP} at ({left}, {top})",
            }
        )
    return rows


def write_card(rows: list[dict[str, str]]) -> str:
    """The card of the photographs with author, licence and source of each, from the rows of credits.csv."""
    photographs: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        photographs.setdefault(row["photograph"], []).append(row)
    lines = [
        f"| {name} | {len(crops)} | {crops[0]['author']} | [{crops[0]['licence']}]({crops[0]['licence_url']}) | "
        f"{crops[0]['source_package']}, `{crops[0]['source_file']}` |"
        for name, crops in photographs.items()
    ]
    data = DatasetCardData(
        license=sorted({HUB_LICENCES[row["licence"]] for row in rows}),
        license_name="public-domain",
        license_link=LICENCE_URLS["Public domain"],
        task_categories=["image-to-image"],
        size_categories=["n<1K"],
        tags=["super-resolution", "image-restoration"],
        pretty_name="Bundled photographs of ddrscope",
    )
    return with_head(
        data,
        f"""# Bundled photographs of ddrscope

{len(rows)} clean crops of {CROP} x {CROP} pixels, PNG, of {len(photographs)} photographs:
the default images of `ddrscope analyze`. No bundled network was trained on them.
`NAME__N.png` is the Nth crop of the photograph NAME; crops of one photograph stay together in all resampling.
Most sources are JPEG and were shrunk before cropping, so that coding artifacts do not pass for detail; `credits.csv` lists the changes.

Each photograph has its own licence. CC-BY requires that the author is named wherever the photograph is shown.

| photograph | crops | author | licence | source |
|---|---|---|---|---|
"""
        + "\n".join(lines)
        + "\n",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    default = Path(__file__).resolve().parents[2] / "src" / "ddrscope" / "data" / "photos"
    parser.add_argument("--out", type=Path, default=default)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = [
        row
        for source in SOURCES
        for row in write_crops(source, find_source(arguments.folders, source.file), arguments.out)
    ]
    with open(arguments.out / "credits.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        rows.sort(key=lambda row: row["file"])
        writer.writerows(rows)
    (arguments.out / "README.md").write_text(write_card(rows), encoding="utf-8")
    print(f"{len(rows)} crops of {len(SOURCES)} photographs in {arguments.out}")


if __name__ == "__main__":
    main()
