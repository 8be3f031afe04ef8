"""`ddrscope watch`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common

# Of a process that found a change; 1 and 2 are those of a failure and of bad input.
CHANGED = 3

HELP = f"""Find out since when the images of a camera, scanner or encoder have changed.

Run it again as images arrive, by cron for example: new ones are measured once, in the order of their modification times. A
file of another time or size is a new image; one that cannot be read is looked at again until it is five minutes old.
The exit code is 0 without a change, {CHANGED} after one, 2 for bad input.

While nothing changes, --false-alarms are expected in 10,000 images at most, however often the command is run. This holds for
images that could have come in any order. Frames of a film, or day and night in turn, raise more: give one image an event, or
images of the same light.

\b
Examples:
  ddrscope watch camera/today --reference camera/january --out watch
  ddrscope watch camera/today --out watch
"""


def command(
    incoming: Annotated[list[str], typer.Argument(metavar="INCOMING...", help="Images: folders, globs, lists, files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the watch, kept between runs.")],
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="REF", help="Images from before, 30 or more; needed in the first run."),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option("--false-alarms", help="False alarms in 10,000 images, at most; up to 1000.", min=0)
    ] = 1.0,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.comparison import watch

    with common.progress() as bars:
        result = watch(
            incoming, out, reference=reference or (), false_alarms=false_alarms, overwrite=overwrite, seed=seed,
            threads=threads, progress=bars,
        )  # fmt: skip
    for image in result.images[len(result.images) - result.new :]:
        if image.error:
            common.say(f"skipped {image.path}: {image.error}")
    if as_json:
        common.print_json(result.to_json())
    common.say(result.verdict())
    common.say(f"{result.new} new images; {out / 'report.html'}")
    if result.alarm:
        raise typer.Exit(CHANGED)


command.__doc__ = HELP
