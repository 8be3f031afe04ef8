"""`ddrscope analyze`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ddrscope.analysis import DEFAULT_DEGRADATIONS, DEFAULT_NETWORKS, Analysis, AnalysisResult, AnalysisSettings
from ddrscope.analysis.input_hashes import analysis_inputs
from ddrscope.analysis.result import OUTPUTS
from ddrscope.cli import common
from ddrscope.features.device import resolve_device
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import load_network

HELP = """Look inside networks: do their features gather by degradation or by content, at which layer, how sure?

NETWORK is a bundled or pretrained name (see `ddrscope models list`), a checkpoint (.safetensors, .pth, .pt, .ckpt, ncnn .param), or
module:function returning an nn.Module.

Writes analysis.json, embedding.parquet, figures/ (PNG and PDF) and report.html into --out.

\b
Examples:
  ddrscope analyze --out look
  ddrscope analyze mynet.pth --images DIV2K_valid_HR --limit 60 --degrade "clean blur:2 blur:4 noise:10 noise:20" --out look
  ddrscope analyze realsr-df2k realesrgan-x4plus --crop 64 --out pair
  ddrscope analyze mynet.pth --set phone=photos/phone --set scan=photos/scan --out real
  ddrscope analyze --series mine='runs/*.pth' --out training
"""


def command(
    networks: Annotated[
        list[str] | None, typer.Argument(metavar="[NETWORK]...", help=f"Default: {' '.join(DEFAULT_NETWORKS)}")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images", metavar="DIR", help="Clean images: folders, globs, lists (.txt), files. Default: the bundled."
        ),
    ] = None,
    degrade: Annotated[
        list[str] | None,
        common.list_option(
            "--degrade",
            metavar="D ...",
            help="Degradations, as blur:4 (sigma in HR pixels), noise:20 (sigma of 255), jpeg:30 (quality), a+b. "
            f"Default: {' '.join(DEFAULT_DEGRADATIONS)}",
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=DIR", help="A folder of images degraded already, fed to the network as they are."
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        common.list_option(
            "--layers",
            metavar="L ...",
            help="Layer names or globs, as 'body.*' or conv_last:input. Default: every block and the last HR layer.",
        ),
    ] = None,
    view: Annotated[
        list[str] | None,
        common.list_option(
            "--view", metavar="V", help="flattened (the paper's) or pooled (mean and std per channel). Default: both."
        ),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(
            "--series",
            metavar="NAME=GLOB",
            help="Your own checkpoints: draws the measures over them. Quote the glob.",
        ),
    ] = None,
    crop: Annotated[
        int, typer.Option("--crop", help="Side of the centred crop in HR pixels, a multiple of the scale.")
    ] = 128,
    limit: Annotated[int | None, typer.Option("--limit", help="Use the first N images only.")] = None,
    content: Annotated[
        str, typer.Option("--content", help="What one content group is: image or photo (all crops of one).")
    ] = "picture",
    photo_from: common.PhotoFrom = "prefix",
    tsne_seeds: Annotated[int, typer.Option("--tsne-seeds", help="t-SNE planes for each layer.")] = 3,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write.")] = Path("ddrscope-analysis"),
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    device: common.Device = "auto",
    precision: common.Precision = "auto",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    given_sets = common.named_values("--set", sets or [])
    given_series = common.named_values("--series", series or [])
    threads, device = common.use_threads(threads), resolve_device(device)
    settings = AnalysisSettings(
        networks=tuple(networks or (() if given_series else DEFAULT_NETWORKS)),
        images=tuple(images or ()),
        degradations=tuple(common.split_words(degrade) or (() if given_sets else DEFAULT_DEGRADATIONS)),
        sets=given_sets,
        layers=tuple(common.split_words(layers)) or None,
        views=tuple(common.split_words(view)) or ("flattened", "pooled"),
        series=given_series,
        global_residual=global_residual,
        allow_torchscript=allow_torchscript,
        crop=crop,
        limit=limit,
        photo_from=photo_from,
        content=content,  # type: ignore[arg-type]
        seed=seed,
        tsne_seeds=tsne_seeds,
        precision=common.resolve_precision(precision, device, out if resume else None),
        device=device,
    )
    named = {
        spec: load_network(spec, global_residual=global_residual, allow_torchscript=allow_torchscript).to(device)
        for spec in settings.networks
    }
    inputs = analysis_inputs(settings, list(named.values()), out)
    with RunDirectory(out, settings.to_dict(), OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite) as folder:
        if folder.is_finished("analysis.json", "embedding.parquet", "thumbnails.parquet", "report.html"):
            result, page = AnalysisResult.load(out), out / "report.html"
            common.say("finished before: nothing to do")
        else:
            with common.progress() as bars:
                result = Analysis(settings, folder.parts, threads, bars, named).run()
                bars.start("report", 0)
                page = result.save(out)
        folder.finish()
    if as_json:
        common.print_json(_summary(result, page))
    for verdict in result.data["verdicts"]:
        common.say(f"[{verdict['view']}] {verdict['sentence']}")
    for comparison in result.data["comparisons"]:
        common.say(comparison["sentence"])
    for note in result.data["notes"]:
        common.say(note)
    for entry in result.data["networks"]:
        for note in entry["notes"]:
            common.say(f"{entry['name']}: {note}")
    for skipped in result.data["skipped"]:
        common.say(f"skipped {skipped['path']}: {skipped['reason']}")
    common.say(str(page.resolve()))


command.__doc__ = HELP


def _summary(result: AnalysisResult, page: Path) -> dict[str, Any]:
    keys = ("images", "photos", "groups", "balanced", "skipped", "notes", "verdicts", "comparisons")
    last = [
        {"name": entry["name"], "layers": entry["layers"][-len({row["view"] for row in entry["layers"]}) :]}
        for entry in result.data["networks"]
    ]
    return (
        {"out": str(page.parent), "report": str(page)}
        | {key: result.data[key] for key in keys}
        | {"last_hr_layer": last}
    )
