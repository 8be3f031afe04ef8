"""`ddrscope degrade`"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from ddrscope.cli import common
from ddrscope.degradations import list_degradations, parse_degradation
from ddrscope.errors import InputError
from ddrscope.images import UnreadablePicture, read_picture
from ddrscope.images.inputs import find_inputs
from ddrscope.locks import LOCK, FolderLock
from ddrscope.store import atomic_write, remove_stale_temp_files

_FAMILIES = "\n".join(
    f"  {family.usage():<30} {family.describe()}: {family.level_range()}" for family in list_degradations()
)

HELP = f"""Degrade pictures and write them as PNG.

Without --scale all degradations act on the picture's own pixels; with it, blur acts before the bicubic shrinking and all others after.

\b
Degradations (joined by +, done in order):
{_FAMILIES}

\b
Examples:
  ddrscope degrade photos --degrade blur:2+noise:10 --out ugly
  ddrscope degrade photos --degrade blur:4 --scale 4 --out small
"""


def command(
    sources: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Pictures: folders, globs, lists (.txt), files.")
    ],
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
    targets = [out / PurePosixPath(file.name).with_suffix(".png") for file in files]
    if len(set(targets)) < len(targets):
        raise InputError("two pictures differ in their ending only and would both become one PNG: give them one by one")
    if out.is_dir() and any(item.name != LOCK for item in out.iterdir()) and not overwrite:
        raise InputError(f"{out} is not empty: give --overwrite or another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: --out needs a folder")
    skipped: dict[str, str] = {}
    with common.progress() as bars, FolderLock(out):
        remove_stale_temp_files(targets)
        bars.start(f"degrading by {pipeline.text}", len(files))
        for file, target in zip(files, targets, strict=True):
            try:
                picture = read_picture(file)
            except UnreadablePicture as error:
                skipped[str(file.path)] = error.reason
            else:
                pixels = np.rint(pipeline.apply(picture.pixels, seed, scale) * 255).astype(np.uint8)
                with atomic_write(target) as temporary:
                    Image.fromarray(pixels).save(temporary, "PNG")
            bars.advance()
    for path, reason in skipped.items():
        common.say(f"skipped {path}: {reason}")
    written = len(files) - len(skipped)
    if not written:
        raise InputError("no picture could be read: nothing is written")
    if as_json:
        common.print_json(
            {"out": str(out), "written": written, "degradation": pipeline.text, "scale": scale, "skipped": skipped}
        )
    common.say(f"{out}: {written} pictures, {pipeline.text}" + (f", shrunk by {scale}" if scale > 1 else ""))


command.__doc__ = HELP
