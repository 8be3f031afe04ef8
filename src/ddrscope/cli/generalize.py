"""`ddrscope generalize`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.features.device import resolve_device
from ddrscope.generalization import GeneralizationResult, GeneralizationRun, GeneralizationSettings, read_suite
from ddrscope.generalization.input_hashes import generalization_inputs
from ddrscope.generalization.result import OUTPUTS
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import load_network
from ddrscope.viz.style import with_interval

HELP = """Score networks without ground truth (SRGA): which of them generalizes better to these images?

SRGA compares how a network's features are distributed on a set with how they are on clean images: 0 is no difference, smaller is
taken for better; on noise that is wrong for networks with a global residual (docs/generalization.md). It stands beside image-quality
measures, not instead of them. NETWORK as for `ddrscope analyze`.

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
            "--images", metavar="DIR", help="Clean images: folders, globs, lists (.txt), files. Default: the bundled."
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="NAME|FILE", help="pies (41 sets) or a TOML file with sets = [...]."),
    ] = None,
    degrade: Annotated[
        list[str] | None,
        common.list_option(
            "--degrade", metavar="D ...", help="Degradations, as blur:4 (sigma in HR pixels), noise:20 (of 255), a+b."
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=DIR", help="Small images as a network gets them, degraded already."),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="SET", help="The set that others are compared with.")
    ] = "clean",
    patches: Annotated[int, typer.Option("--patches", help="Patches in each set, spread over the images.")] = 800,
    patch: Annotated[int, typer.Option("--patch", help="Side of a patch in HR pixels, a multiple of the scale.")] = 128,
    components: Annotated[int, typer.Option("--components", help="Principal components; fewer than patches.")] = 300,
    photo_from: common.PhotoFrom = "prefix",
    layer: Annotated[str | None, typer.Option("--layer", metavar="L", help="Default: the last HR layer.")] = None,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")] = Path(
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
    common.use_threads(threads)
    device = resolve_device(device)
    settings = GeneralizationSettings(
        networks=tuple(networks),
        images=tuple(images or ()),
        degradations=tuple(dict.fromkeys([*(read_suite(suite) if suite else ()), *common.split_words(degrade)])),
        sets=common.named_values("--set", sets or []),
        reference=reference,
        patches=patches,
        patch=patch,
        components=components,
        photo_from=photo_from,
        layer=layer,
        global_residual=global_residual,
        allow_torchscript=allow_torchscript,
        seed=seed,
        precision=common.resolve_precision(precision, device, out if resume else None),
        device=device,
    )
    named = {
        spec: load_network(spec, global_residual=global_residual, allow_torchscript=allow_torchscript).to(device)
        for spec in settings.networks
    }
    inputs = generalization_inputs(settings, list(named.values()), out)
    with RunDirectory(out, settings.to_dict(), OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite) as folder:
        if folder.is_finished("generalization.json", "generalization.csv", "report.html"):
            result, page = GeneralizationResult.load(out), out / "report.html"
            common.say("finished before: nothing to do")
        else:
            with common.progress() as bars:
                result = GeneralizationRun(settings, folder.parts, bars, named, cluster, threads or 1).run()
                bars.start("report", 0)
                page = result.save(out)
        folder.finish()
    if as_json:
        keys = ("scores", "ranking", "srga_and_psnr", "notes", "skipped")
        summary = {key: result.data[key] for key in keys}
        summary["scores"] = result.to_frame().to_dict("records")
        common.print_json({"out": str(out), "report": str(page)} | summary)
    for row in result.data["ranking"]:
        apart = {None: "", True: "", False: " (cannot be told apart from the one above)"}[row["apart"]]
        common.say(f"{row['place']}. {row['network']}: mean SRGA {with_interval(row, 'srga')}{apart}")
    for note in result.data["notes"]:
        common.say(note)
    for skipped in result.data["skipped"]:
        common.say(f"skipped {skipped['path']}: {skipped['reason']}")
    common.say(str(page.resolve()))


command.__doc__ = HELP
