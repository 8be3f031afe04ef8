"""`ddrscope match`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options

HELP = """Find the degradation that makes clean photographs resemble your images, as a recipe for training.

Give real LR images, 30 or more, of 64 pixels a side or more; they need no counterpart in HR. From each, 16 parts at most are
used. Photographs need 64 pixels times the scale a side: the bundled ones serve scale 4 at most.

DIR gets recipe.json (a distribution of degradation chains), match.json (how well made images resemble yours, beside what other
programs train with), sheet.png (yours beside made ones) and configs for Real-ESRGAN, traiNNer-redux, neosr,
wtp_dataset_destroyer, pepedd and ddrscope train. Sigmas of blur are in pixels of the HR image, those of noise in units of 255.

\b
Examples:
  ddrscope match real_lr --out matched
  ddrscope match real_lr --hr DIV2K_train_HR --scale 4 --out matched
  ddrscope degrade DIV2K_train_HR --recipe matched/recipe.json --out lr
"""


def command(
    images: Annotated[
        list[str], typer.Argument(metavar="REAL...", help="Real LR images: folders, globs, lists, files.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    hr: Annotated[
        list[str] | None,
        typer.Option("--hr", metavar="HR", help="Clean photographs; repeatable. Default: the bundled ones."),
    ] = None,
    scale: Annotated[int, typer.Option("--scale", help="The factor from LR to HR, 1 to 8.", min=1, max=8)] = 4,
    chains: Annotated[
        int,
        typer.Option(
            "--chains", help="Degradation chains tried at first; half as many more follow three times.", min=100
        ),
    ] = 1200,
    tiles: Annotated[
        int, typer.Option("--tiles", help="Most tiles of 64 x 64 pixels of your images.", min=32, max=5000)
    ] = 1024,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.matching import match
    from ddrscope.matching.result import describe_step

    with common.progress() as bars:
        result = match(
            images, out, hr=hr or (), scale=scale, chains=chains, tiles=tiles, resume=resume, overwrite=overwrite,
            seed=seed, threads=threads, progress=bars,
        )  # fmt: skip
    for each in result.skipped:
        common.say(f"skipped {each.path}: {each.reason}")
    for note in result.notes:
        common.say(in_options(note, {"images": "REAL", "out": "--out"}))
    if as_json:
        common.print_json(result.to_json())
    common.say(result.verdict())
    for step in result.recipe.steps():
        common.say(f"  {describe_step(step)}")
    if scale > 1:
        names = ", ".join(f"{name} {share:.0%}" for name, share in result.recipe.final_interpolations().items())
        common.say(f"  shrinking by {scale}: {names}")
    unknown = [each.what for each in result.alternatives if each.unknown]
    if unknown:
        common.say(f"Your images do not show whether there is: {', '.join(unknown)}")
    common.say(str(out / "sheet.png"))


command.__doc__ = HELP
