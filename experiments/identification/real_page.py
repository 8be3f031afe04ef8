"""Draw verdicts on 48 real images, wrong ones included, to be looked at.

    python -m experiments.identification.real_page PHOTOS OUT.png [--half development] [--identifier FILE]

PHOTOS holds the folder ``real`` of docs/photographs.md. Images are taken in turn from its sets, in the order of a hash of
their names. The page stays where it is made, since most of the images may not be shared; `real_sets` writes names and
verdicts.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import textwrap
from pathlib import Path

from ddrscope.identification import load_identifier
from ddrscope.images import find_images, read_image
from ddrscope.io.files import atomic_write
from ddrscope.viz.fonts import Figure, plain
from experiments.identification.real_sets import half_of

COUNT, COLUMNS, LINE = 48, 6, 38
DPI = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=("development", "final"), default="development")
    parser.add_argument("--identifier", type=Path)
    given = parser.parse_args()
    identifier = load_identifier(given.identifier)
    paths = chosen(given.photos / "real", given.half)
    rows = -(-len(paths) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * 2.7, rows * 3.3), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    for panel, path in zip(panels.flat, paths, strict=False):
        pixels = read_image(path).pixels
        found = identifier.identify(pixels)
        step = max(1, max(pixels.shape[:2]) // 400)
        panel.imshow(pixels[::step, ::step].clip(0, 1))
        panel.set_title(plain(f"{path.parent.name}/{path.name}"[-LINE:]), fontsize=6.5)
        text = textwrap.fill(plain(str(found)), LINE)
        panel.text(0.5, -0.03, text, transform=panel.transAxes, ha="center", va="top", fontsize=6.5)
        print(f"{path.parent.name}/{path.name}: {found}", flush=True)
    with atomic_write(given.out) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def chosen(folder: Path, half: str) -> list[Path]:
    """Images of the half, one of each set in turn."""
    sets: dict[str, list[Path]] = {}
    for file in find_images([folder]):
        path = Path(file.path)
        if half_of(path.name) == half:
            sets.setdefault(path.relative_to(folder).parts[0], []).append(path)
    for paths in sets.values():
        paths.sort(key=lambda path: hashlib.sha256(path.name.encode()).digest())
    turns = itertools.chain.from_iterable(itertools.zip_longest(*sets.values()))
    return [path for path in turns if path is not None][:COUNT]


if __name__ == "__main__":
    main()
