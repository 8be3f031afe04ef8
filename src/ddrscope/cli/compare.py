"""`ddrscope compare`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common

HELP = """Find out whether two sets of images differ in degradation, and how.

Compared are blur (sigma in pixels), noise (sigma in units of 255), JPEG quality, and enlargement (factor). Images need not
show the same: what light and scene change, as brightness and colour, is not compared. A difference counts if a permutation
test by photograph finds it (p < 0.05 for all axes together) and it is not slight (0.2 px, 1 of 255, 5 quality points, 0.15
times).

\b
Examples:
  ddrscope compare before_update after_update
  ddrscope compare scanner_a "scanner_b/*.tif" --out compared
"""


def command(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="Images: a folder, glob, list (.txt) or file.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Images to compare with the first.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for comparison.json and sheet.png.")
    ] = None,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.comparison import compare

    with common.progress() as bars:
        result = compare(first, second, out, overwrite=overwrite, seed=seed, threads=threads, progress=bars)
    for each in result.skipped:
        common.say(f"skipped {each.path}: {each.reason}")
    if as_json:
        common.print_json(result.to_json())
    common.say(result.verdict())
    common.say(
        f"{result.images[0]} and {result.images[1]} images of {result.photos[0]} and {result.photos[1]} photographs"
    )
    if out:
        common.say(str(out / "sheet.png"))


command.__doc__ = HELP
