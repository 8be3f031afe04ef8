"""`ddrscope degrade`"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import typer

from ddrscope.batch.inputs import find_inputs
from ddrscope.cli import common
from ddrscope.degradations import list_degradations, parse_degradation
from ddrscope.errors import InputError, printable
from ddrscope.images import UnreadableImage, read_with_metadata, result_names
from ddrscope.io.files import remove_stale_temp_files
from ddrscope.io.locks import LOCK, FolderLock
from ddrscope.upscaling.image_files import write_image

_FAMILIES = "\n".join(
    f"  {family.usage():<30} {family.describe()}: {family.level_range()}" for family in list_degradations()
)

HELP = f"""Degrade images and write them as PNG.

16 bits a channel are kept, and colour profile, EXIF and resolution. Floats are rounded to 16 bits; grey becomes RGB.
Two images of one stem keep their suffixes too (IMG_1.jpg.png).

Without --scale all degradations act on the image's own pixels; with it, blur acts before the bicubic shrinking and all others after.

\b
Degradations (joined by +, done in order):
{_FAMILIES}

\b
Examples:
  ddrscope degrade photos --degrade blur:2+noise:10 --out ugly
  ddrscope degrade photos --degrade blur:4 --scale 4 --out small
"""


def command(
    sources: Annotated[list[str], typer.Argument(metavar="IN...", help="Images: folders, globs, lists (.txt), files.")],
    degrade: Annotated[str, typer.Option("--degrade", metavar="D", help="As blur:4 or blur:2+noise:10.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write stem.png into, subfolders kept.")],
    scale: Annotated[int, typer.Option("--scale", help="Shrink too, bicubically, by this factor.", min=1)] = 1,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    pipeline = parse_degradation(degrade)
    pipeline.check_scale(scale)
    files = find_inputs(sources, [out])
    names = result_names(files, ".png")
    if out.is_dir() and any(item.name != LOCK for item in out.iterdir()) and not overwrite:
        raise InputError(f"{out} is not empty: give --overwrite or another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: --out needs a folder")
    skipped: dict[str, str] = {}
    rounded = 0
    with common.progress() as bars, FolderLock(out):
        remove_stale_temp_files(out / name for name in names.values())
        bars.start(f"degrading by {pipeline.text}", len(files))
        for file in files:
            try:
                image, metadata = read_with_metadata(file)
            except UnreadableImage as error:
                skipped[str(file.path)] = error.reason
            else:
                pixels = pipeline.apply(image.pixels, seed, scale, image.bits)
                kind = np.uint8 if image.bits == 8 else np.uint16
                made = np.rint(pixels * np.iinfo(kind).max).astype(kind)
                write_image(out / names[file], made, metadata, "png")
                rounded += image.bits > 16
            bars.advance()
    for path, reason in skipped.items():
        common.say(f"skipped {path}: {reason}")
    _say_what_else_lies_there(out, {names[file] for file in files if str(file.path) not in skipped})
    if rounded:
        common.say(f"{rounded} images of floats or wider integers were rounded to 16 bits, the most that a PNG holds")
    written = len(files) - len(skipped)
    if not written:
        raise InputError("no image could be read: nothing is written")
    if as_json:
        common.print_json(
            {"out": str(out), "written": written, "degradation": pipeline.text, "scale": scale, "skipped": skipped}
        )
    common.say(f"{out}: {written} images, {pipeline.text}" + (f", shrunk by {scale}" if scale > 1 else ""))


command.__doc__ = HELP


def _say_what_else_lies_there(out: Path, written: set[PurePosixPath]) -> None:
    """Name the images that an earlier run left in the folder: they would be taken for some of this one's."""
    others = sorted(
        found
        for path in out.rglob("*.png")
        if (found := PurePosixPath(path.relative_to(out).as_posix())) not in written
    )
    if others:
        which = f"{len(others)} other images" if len(others) > 1 else "another image"
        common.say(
            f"{out} also holds {which} ({printable(str(others[0]))}), not written by this run: remove what is of another run, "
            "or choose an empty --out"
        )
