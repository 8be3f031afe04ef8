"""`ddrscope study`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common

HELP = """Test claims C1 to C6 of the paper: train networks, analyse them, judge by rules fixed in advance.

Trains an SRResNet, and an SRGAN from it, for each of --seeds seeds, with and without global residual, by --recipe (a
name as for `ddrscope train`, or a .toml file; KEY=VALUE changes it), and adds the four bundled networks. The images are
crops of the bundled and of the --test photographs. --out receives study.json, claims.csv, the evidence as CSV, figures/
and report.html; its folders trainings/, images/ and analyses/ keep what is done, for --resume. Three seeds of the
recipe `pilot` took an hour and a half on two cores with native bfloat16.

\b
Examples:
  ddrscope study --images hr/train --val hr/val --test hr/test --out study --resume
  ddrscope study pixel.steps=500 --seeds 2 --images hr/train --val hr/val --test hr/test --out quick
"""


def command(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Clean photographs to train on.")],
    val: Annotated[Path, typer.Option("--val", metavar="DIR", help="Clean photographs for validation.")],
    test: Annotated[
        Path, typer.Option("--test", metavar="DIR", help="Clean photographs to analyse, in none of the others.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the result.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]")] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe of the trainings.")] = "pilot",
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each kind.", min=1)] = 3,
    crops: Annotated[int, typer.Option("--crops", help="Crops of each photograph, without overlap.", min=2)] = 4,
    crop: Annotated[int, typer.Option("--crop", help="Side of a crop in HR pixels.", min=8)] = 128,
    photos: Annotated[
        int | None, typer.Option("--photos", help="Analyse only so many photographs, for a quick look.", min=3)
    ] = None,
    tsne_seeds: Annotated[int, typer.Option("--tsne-seeds", help="t-SNE planes of each layer.", min=1, max=20)] = 3,
    photo_from: common.PhotoFrom = "prefix",
    threads: common.Threads = 0,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.study import run_study
    from ddrscope.training import parse_changes

    with common.progress() as bars:
        result = run_study(
            images,
            val,
            test,
            out,
            recipe=recipe,
            changes=parse_changes(changes or []),
            seeds=seeds,
            crops=crops,
            crop=crop,
            photos=photos,
            tsne_seeds=tsne_seeds,
            photo_from=photo_from,
            resume=resume,
            overwrite=overwrite,
            threads=threads,
            progress=bars,
        )
    page = out / "report.html"
    for claim in result.claims:
        common.say(f"{claim.claim} {claim.view}: {claim.verdict}")
    if as_json:
        common.print_json({"report": str(page), "claims": [claim.to_json() for claim in result.claims]})
    common.say(str(page))


command.__doc__ = HELP
