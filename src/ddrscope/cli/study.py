"""`ddrscope study`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.batch.inputs import image_inputs
from ddrscope.cli import common
from ddrscope.io.run_directory import RunDirectory
from ddrscope.study import Study, StudySettings
from ddrscope.study.result import OUTPUTS
from ddrscope.training import RECIPES

HELP = f"""Test the paper's claims C1 to C6: train what is missing, analyse, judge by rules fixed in the code, write a page.

Trains an SRResNet and an SRGAN from it for each of --seeds seeds, with and without global residual, by --recipe
({", ".join(RECIPES)}, or a .toml file; KEY=VALUE overrides), and takes the four bundled networks beside them. The images
analysed are crops of the bundled and of the --test photographs. --out receives study.json, claims.csv, the evidence as CSV, figures/
and report.html; its folders trainings/, images/ and analyses/ keep what is done: with --resume the study goes on there.
Three seeds of the recipe `pilot` took an hour and a half on two cores with native bfloat16.

\b
Examples:
  ddrscope study --images hr/train --val hr/val --test hr/test --out study --resume
  ddrscope study pixel.steps=500 adversarial.steps=100 --seeds 2 --images hr/train --val hr/val --test hr/test --out quick
"""


def command(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Clean photographs to train on.")],
    val: Annotated[Path, typer.Option("--val", metavar="DIR", help="Clean photographs by which quality is matched.")],
    test: Annotated[
        Path, typer.Option("--test", metavar="DIR", help="Clean photographs to analyse, in none of the others.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result goes.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]")] = None,
    recipe: Annotated[str, typer.Option("--recipe", help="What the seeds are trained by.")] = "pilot",
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
    folders = str(images), str(val), str(test)
    settings = StudySettings(*folders, recipe, tuple(changes or ()), seeds, crops, crop, photos, tsne_seeds, photo_from)
    count = common.use_threads(threads)
    with common.progress() as bars:
        study = Study(settings, out, count, bars)
        inputs = {name: image_inputs([source]) for name, source in zip(("images", "val", "test"), folders, strict=True)}
        with RunDirectory(out, study.identity, OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite) as folder:
            result = study.run()
            page = result.save(out)
            folder.finish()
    for claim in result.data["claims"]:
        common.say(f"{claim['claim']} {claim['view']}: {claim['verdict']}")
    if as_json:
        common.print_json({"report": str(page), "claims": result.data["claims"]})
    common.say(str(page))


command.__doc__ = HELP
