"""`ddrscope generalize`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options

HELP = """Score how well networks generalize to degraded images, without ground truth (SRGA).

SRGA compares the distribution of a network's features on a set of images with that on clean images: 0 is no difference, smaller is
better. Do not use it to compare networks with a global residual on noise (docs/generalization.md). It complements image-quality
measures and does not replace them. NETWORK as for `ddrscope analyze`.

Writes generalization.json, generalization.csv, figures/ (PNG and PDF) and report.html into --out.

\b
Examples:
  ddrscope generalize srresnet-wgr srgan-wgr --patch 64 --degrade "blur:2 blur:4 noise:10 noise:20" --out scores
  ddrscope generalize mynet.pth other.pth --images DIV2K_valid_HR --suite pies --out scores
  ddrscope generalize mynet.pth --images DIV2K_valid_HR --set phone=photos/phone --out footage
"""


def command(
    networks: Annotated[list[str], typer.Argument(metavar="NETWORK...")],
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Clean images: folders, globs, lists (.txt), files. Default: the bundled photographs.",
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            metavar="NAME|FILE",
            help="A list of degradations: pies (41 sets), or a TOML file with sets = [...].",
        ),
    ] = None,
    degradations: Annotated[
        list[str] | None,
        common.list_option(
            "--degrade",
            metavar="D ...",
            help="Degradations, as blur:4 (sigma in HR pixels), noise:20 (of 255), a+b.",
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=DIR",
            help="Degraded images at the size of the networks' input. May be repeated.",
        ),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="SET", help="The set that the others are compared with.")
    ] = "clean",
    patches: Annotated[int, typer.Option("--patches", help="Patches in each set, distributed over the images.")] = 800,
    patch: Annotated[int, typer.Option("--patch", help="Side of a patch in HR pixels, a multiple of the scale.")] = 128,
    components: Annotated[int, typer.Option("--components", help="Principal components; fewer than patches.")] = 300,
    photo_from: common.PhotoFrom = "prefix",
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="L", help="The layer to score. Default: the last HR layer.")
    ] = None,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = Path(
        "ddrscope-generalization"
    ),
    cluster: common.Cluster = None,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.generalization import generalize

    with common.progress() as bars:
        result = generalize(
            networks,
            images or (),
            degradations or (),
            common.named_values("--set", sets or []),
            suite=suite,
            reference=reference,
            patches=patches,
            patch=patch,
            components=components,
            layer=layer,
            photo_from=photo_from,
            global_residual=global_residual,
            allow_torchscript=allow_torchscript,
            out=out,
            resume=resume,
            overwrite=overwrite,
            seed=seed,
            device=device,
            precision=precision,
            threads=threads,
            progress=bars,
            cluster=cluster,
        )
    page = out / "report.html"
    if as_json:
        data = result.to_json()
        summary = {key: data[key] for key in ("scores", "ranking", "srga_and_psnr", "notes", "skipped")}
        summary["scores"] = result.to_frame().to_dict("records")
        common.print_json({"out": str(out), "report": str(page)} | summary)
    for row in result.ranking:
        remark = " (not distinguishable from the one above)" if row.apart is False else ""
        common.say(f"{row.place}. {row.network}: mean SRGA {row.srga}{remark}")
    for note in result.notes:
        common.say(in_options(note, {"photo_from": "--photo-from"}))
    for image in result.skipped:
        common.say(f"skipped {image.path}: {image.reason}")
    common.say(str(page.resolve()))


command.__doc__ = HELP
