"""`ddrscope degrade`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options
from ddrscope.degradations import list_degradations

_FAMILIES = "\n".join(
    f"  {family.usage():<30} {family.describe()}: {family.level_range()}" for family in list_degradations()
)

HELP = f"""Degrade images and write them as PNG.

16 bits a channel, colour profile, EXIF and resolution are kept. Floats are rounded to 16 bits; grey becomes RGB. Two
images of one stem keep their suffixes too (IMG_1.jpg.png).

With --recipe (of ddrscope match) each image draws a chain of degradations; the result has 8 bits, and the size of the image over
the recipe's scale, rows and columns beyond a multiple of it cut off: cut the HR images alike.

Without --scale all degradations act on the image's own pixels; with it, blur acts before the bicubic shrinking and all
others after it.

\b
Degradations (joined by +, applied in this order):
{_FAMILIES}

\b
Examples:
  ddrscope degrade photos --degrade blur:2+noise:10 --out degraded
  ddrscope degrade photos --degrade blur:4 --scale 4 --out small
  ddrscope degrade photos --recipe matched/recipe.json --out lr
"""


def command(
    images: Annotated[list[str], typer.Argument(metavar="IN...", help="Images: folders, globs, lists (.txt), files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for stem.png, subfolders kept.")],
    degradation: Annotated[
        str | None, typer.Option("--degrade", metavar="D", help="As blur:4 or blur:2+noise:10.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE", help="recipe.json of ddrscope match; each image draws a chain."),
    ] = None,
    scale: Annotated[int, typer.Option("--scale", help="Also shrink bicubically by this factor.", min=1)] = 1,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.batch.degrade import degrade

    with common.progress() as bars:
        result = degrade(
            images,
            out,
            degradation=degradation,
            recipe=recipe,
            scale=scale,
            seed=seed,
            overwrite=overwrite,
            progress=bars,
        )
    for path, reason in result.skipped.items():
        common.say(f"skipped {path}: {reason}")
    for note in result.notes:
        common.say(in_options(note, {"out": "--out"}))
    if as_json:
        common.print_json(result.to_json())
    shrunk = f", shrunk by {result.scale}" if result.scale > 1 else ""
    common.say(f"{out}: {result.written} images, {result.degradation}{shrunk}")


command.__doc__ = HELP
