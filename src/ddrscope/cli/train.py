"""`ddrscope train`"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.training import (
    RECIPES,
    PhotoPairs,
    Progress,
    Quality,
    Training,
    as_toml,
    as_trained,
    make_recipe,
    parse_changes,
)

HELP = f"""Train an SRResNet on a folder of photographs, kept clean or degraded on the way, and make an SRGAN of it.

RECIPE is one of {", ".join(RECIPES)}, or a .toml file with the keys that --show prints (base = "compact" takes the others from there).
KEY=VALUE overrides one: channels=32, pixel.steps=2000, adversarial.steps=0 (no adversarial stage), adversarial.loss=vanilla.
degradations=["blur:0..4", "noise:0..20"] trains on degraded images: each patch goes through one of the list, at random levels.
guidance=ddr steers the network by what the first guide_blocks blocks of a frozen one (guide=srgan-wgr) see of the degradation;
guidance=untrained and oracle are to compare with (the latter's weights serve for nothing else). guide_margin: LR pixels that the guide
sees around a patch, whole cells of 8.

--out holds recipe.toml and a folder a stage, pixel/ and adversarial/, each with checkpoint.pt, log.csv, tensorboard/, previews/
and weights.safetensors, which every command takes as NETWORK. The same command goes on with an interrupted training; where only the
small .safetensors files are left, from these.
Several devices: torchrun --standalone --nproc_per_node 2 -m ddrscope train ... (the batch is shared between them).

\b
Examples:
  ddrscope train compact --images hr/train --val hr/val --test hr/test --no-global-residual --out runs/wogr
  ddrscope train pilot seed=1 adversarial.steps=0 --images hr/train --val hr/val --out runs/pilot-1
  ddrscope train pilot 'degradations=["blur:0..4+noise:0..20"]' adversarial.steps=0 --images hr/train --val hr/val --out runs/both
  ddrscope train blind-compact adversarial.steps=0 --images hr/train --images hr/gallery --val hr/val --out runs/blind
  ddrscope train compact --show > mine.toml
"""


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE ...]")] = None,
    images: Annotated[
        list[str] | None,
        typer.Option("--images", metavar="DIR", help="Clean photographs to train on; may be given again."),
    ] = None,
    val: Annotated[
        Path | None, typer.Option("--val", metavar="DIR", help="Clean photographs for the quality in log.csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where checkpoints, logs and weights go.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option("--test", metavar="DIR", help="Clean photographs to rate the result on.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe as TOML and train nothing.")] = False,
    global_residual: Annotated[
        bool | None,
        typer.Option("--global-residual/--no-global-residual", help="The same as global_residual=true or false."),
    ] = None,
    keep_every: Annotated[
        int,
        typer.Option("--keep-every", help="Keep the weights of every so many steps in snapshots/; 0: of none.", min=0),
    ] = 0,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The same as seed=N: of weights and patches.", min=0)
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="The same as precision=P: auto, float32, bfloat16.")
    ] = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    short = {"global_residual": global_residual, "seed": seed, "precision": precision}
    chosen = make_recipe(
        recipe, parse_changes(changes or []) | {key: value for key, value in short.items() if value is not None}
    )
    if show:
        print(as_toml(chosen), end="")
        return
    if not images or val is None or out is None:
        missing = next(name for name, value in (("--images", images), ("--val", val), ("--out", out)) if not value)
        raise InputError(f"train needs {missing}: see ddrscope train --help")
    common.use_threads(threads)
    photos, validation = PhotoPairs(images, chosen.scale, chosen.patch), PhotoPairs(val, chosen.scale)
    tests = as_trained(PhotoPairs(test, chosen.scale), chosen) if test else None
    training = Training(chosen, photos, validation, out, resolve_device(device))
    with closing(training.devices):
        _run(training, keep_every)
        if training.devices.first:
            _rate(training, tests, as_json)


def _run(training: Training, keep_every: int) -> None:
    with common.progress() as bars:
        running = ""

        def report(progress: Progress) -> None:
            nonlocal running
            if progress.stage != running:
                running = progress.stage
                bars.start(f"{running} stage", progress.steps)
                bars.advance(progress.step - 1)
            bars.advance()

        keep = (
            {stage.name: range(0, stage.settings.steps + 1, keep_every) for stage in training.stages}
            if keep_every
            else {}
        )
        training.run(report, keep)


def _rate(training: Training, tests: PhotoPairs | None, as_json: bool) -> None:
    stages: dict[str, Any] = {}
    for stage in training.stages:
        stages[stage.name] = {"weights": str(stage.weights)}
        if tests:
            rows = stage.test(tests)
            stages[stage.name]["test"] = [dataclasses.asdict(row) for row in rows]
            common.say(f"{stage.name} stage on {len(rows)} photographs: {_describe(rows)}")
    if as_json:
        common.print_json({"recipe": dataclasses.asdict(training.recipe), "stages": stages})
    for stage in training.stages:
        common.say(str(stage.weights))


def _describe(rows: list[Quality]) -> str:
    gains = [row.psnr - row.psnr_bicubic for row in rows]
    lpips, bicubic = (float(np.mean([getattr(row, name) for row in rows])) for name in ("lpips", "lpips_bicubic"))
    return (
        f"PSNR-Y over bicubic {np.mean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f}), "
        f"LPIPS {lpips:.3f} (bicubic {bicubic:.3f}, smaller is better)"
    )


command.__doc__ = HELP
