"""`ddrscope train`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.errors import InputError

HELP = """Train an SRResNet on a folder of photographs, and an SRGAN from it.

RECIPE is one of compact, quick, pilot, blind-compact, blind-paper and paper, or a .toml file with the keys that --show
prints (base = "compact" takes the others from there). KEY=VALUE overrides a key: channels=32, pixel.steps=2000,
adversarial.steps=0 (no adversarial stage), adversarial.loss=vanilla. degradations=["blur:0..4", "noise:0..20"] trains
on degraded images: each patch is degraded by one of the list, with random levels. guidance=ddr steers the network by
the first guide_blocks blocks of a frozen network (guide=srgan-wgr); guidance=untrained and oracle are controls
(weights trained with oracle cannot be used otherwise). guide_margin: LR pixels around a patch that the guide sees, a
multiple of 8.

--out has recipe.toml and a folder for each stage, pixel/ and adversarial/, each with checkpoint.pt, log.csv,
tensorboard/, previews/ and weights.safetensors, which every command takes as NETWORK. The same command continues an
interrupted training; if only the small .safetensors files are left, from these. Several devices: torchrun --standalone
--nproc_per_node 2 -m ddrscope train ... (the batch is divided between them).

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
        typer.Option("--images", metavar="DIR", help="Clean photographs to train on; may be repeated."),
    ] = None,
    val: Annotated[
        Path | None, typer.Option("--val", metavar="DIR", help="Clean photographs for the quality in log.csv.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for checkpoints, logs and weights.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option("--test", metavar="DIR", help="Clean photographs to measure the result on.")
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
        int | None, typer.Option("--seed", help="The same as seed=N: seed of weights and patches.", min=0)
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="The same as precision=P: auto, float32, bfloat16.")
    ] = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.training import as_toml, make_recipe, parse_changes, train

    options = {"global_residual": global_residual, "seed": seed, "precision": precision}
    values = parse_changes(changes or []) | {key: value for key, value in options.items() if value is not None}
    final_recipe = make_recipe(recipe, values)
    if show:
        print(as_toml(final_recipe), end="")
        return
    if not images or val is None or out is None:
        required = (("--images", images), ("--val", val), ("--out", out))
        missing = next(name for name, value in required if not value)
        raise InputError(f"train needs {missing}: see ddrscope train --help")
    with common.progress() as bars:
        result = train(
            final_recipe,
            images,
            val,
            out,
            test=test,
            keep_every=keep_every,
            device=device,
            threads=threads,
            progress=bars,
        )
    if not result.is_main_process:
        return
    for stage in result.stages:
        if stage.test:
            common.say(str(stage))
    if as_json:
        common.print_json(result.to_json())
    for stage in result.stages:
        common.say(stage.weights)


command.__doc__ = HELP
