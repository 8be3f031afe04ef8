"""`ddrscope train`"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ddrscope.cli import common
from ddrscope.training import RECIPES, PhotoPairs, Training, make_recipe

HELP = f"""Train an SRResNet, with or without a global residual, on a folder of clean photographs.

RECIPE is one of: {", ".join(RECIPES)}. The folder --out keeps a checkpoint; the same command goes on with an interrupted training. At the
end it holds weights.safetensors, which every command takes as NETWORK.

\b
Example:
  ddrscope train compact --images hr/train --val hr/val --test hr/test --no-global-residual --out runs/wogr
"""


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE")],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Clean photographs to train on.")],
    val: Annotated[Path, typer.Option("--val", metavar="DIR", help="Clean photographs for the quality in log.csv.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where checkpoint, log and weights go.")],
    test: Annotated[
        Path | None, typer.Option("--test", metavar="DIR", help="Clean photographs to judge the result on.")
    ] = None,
    global_residual: Annotated[
        bool | None, typer.Option("--global-residual/--no-global-residual", help="Override the recipe.")
    ] = None,
    scale: Annotated[int | None, typer.Option("--scale", help="Enlargement: 1, 2, 3 or 4.")] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="Width of the network.", min=1)] = None,
    blocks: Annotated[int | None, typer.Option("--blocks", help="Number of residual blocks.", min=1)] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps.", min=1)] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Patches in a step.", min=1)] = None,
    patch: Annotated[int | None, typer.Option("--patch", help="Side of a patch in LR pixels.", min=8)] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="At its highest.", min=0)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of weights and patches.")] = None,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    chosen = make_recipe(
        recipe,
        global_residual=global_residual,
        scale=scale,
        channels=channels,
        blocks=blocks,
        steps=steps,
        batch=batch,
        patch=patch,
        learning_rate=learning_rate,
        seed=seed,
    )
    common.use_threads(threads)
    photos = PhotoPairs(images, chosen.scale, chosen.patch)
    training = Training(chosen, photos, PhotoPairs(val, chosen.scale), out)
    with common.progress() as bars:
        bars.start(f"training {recipe}", chosen.steps)
        bars.advance(training.step)
        training.run(lambda _: bars.advance())
    summary: dict[str, Any] = {"weights": str(out / "weights.safetensors"), "recipe": dataclasses.asdict(chosen)}
    if test:
        rows = training.judge(PhotoPairs(test, chosen.scale))
        gains = [row.psnr - row.psnr_bicubic for row in rows]
        summary["test"] = [dataclasses.asdict(row) for row in rows]
        common.say(
            f"PSNR-Y over bicubic on {len(rows)} photographs: {np.mean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f})"
        )
    if as_json:
        common.print_json(summary)
    common.say(str(out / "weights.safetensors"))


command.__doc__ = HELP
