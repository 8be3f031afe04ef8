"""`ddrscope analyze`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options

if TYPE_CHECKING:
    from ddrscope.analysis import AnalysisResult

HELP = """Do the features of networks cluster by degradation or by content, and at which layer?

NETWORK is a bundled or pretrained name (see `ddrscope models list`), a checkpoint (.safetensors, .pth, .pt, .ckpt,
ncnn .param), or module:function returning an nn.Module.

Writes analysis.json, embedding.parquet, figures/ (PNG and PDF) and report.html into --out.

\b
Examples:
  ddrscope analyze --out look
  ddrscope analyze mynet.pth --images DIV2K_valid_HR --limit 60 --degrade "clean blur:2 blur:4 noise:10 noise:20" --out look
  ddrscope analyze realsr-df2k realesrgan-x4plus --crop 64 --out pair
  ddrscope analyze mynet.pth --set phone=photos/phone --set scan=photos/scan --out real
  ddrscope analyze --checkpoints mine='runs/*.pth' --out training
"""


def command(
    networks: Annotated[
        list[str] | None, typer.Argument(metavar="[NETWORK]...", help="Default: srresnet-wgr srresnet-wogr")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Clean images: folders, globs, lists (.txt), files. Default: the bundled photographs.",
        ),
    ] = None,
    degradations: Annotated[
        list[str] | None,
        common.list_option(
            "--degrade",
            metavar="D",
            help="Degradations, as blur:4 (sigma in HR pixels), noise:20 (sigma of 255), jpeg:30 (quality), a+b. "
            "Default: clean blur:4 noise:20",
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=DIR", help="Degraded images, fed to the network as they are."),
    ] = None,
    layers: Annotated[
        list[str] | None,
        common.list_option(
            "--layers",
            metavar="L",
            help="Layer names or globs, as 'body.*' or conv_last:input; NETWORK=LAYER for one network. Default: every "
            "block and the last HR layer.",
        ),
    ] = None,
    output_layers: Annotated[
        list[str] | None,
        typer.Option(
            "--output-layer",
            metavar="NETWORK=LAYER",
            help="The last HR layer of a network, which the verdict is on, where the one found is not meant.",
        ),
    ] = None,
    views: Annotated[
        list[str] | None,
        common.list_option(
            "--view",
            metavar="V",
            help="flattened (all features, as in the paper) or pooled (mean and std of each channel). Default: both.",
        ),
    ] = None,
    checkpoints: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoints",
            metavar="NAME=GLOB",
            help="Checkpoints of a training: measures of their last HR layers. Quote the glob.",
        ),
    ] = None,
    crop: Annotated[
        int, typer.Option("--crop", help="Side of the centre crop in HR pixels, a multiple of the scale.")
    ] = 128,
    limit: Annotated[int | None, typer.Option("--limit", help="Use the first N images only.")] = None,
    content: Annotated[
        str,
        typer.Option(
            "--content",
            help="What one content group is: image, photo (all images of a photograph), or folder (all images of a class).",
        ),
    ] = "image",
    photo_from: common.PhotoFrom = "prefix",
    tsne_seeds: Annotated[int, typer.Option("--tsne-seeds", help="t-SNE planes of each layer.")] = 3,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the result.")] = Path(
        "ddrscope-analysis"
    ),
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    device: common.Device = "auto",
    precision: common.Precision = "auto",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.analysis import analyze

    with common.progress() as bars:
        result = analyze(
            networks or None,
            images or (),
            degradations,
            common.named_values("--set", sets or []),
            layers=layers,
            views=views or ("flattened", "pooled"),
            output_layers=common.named_values("--output-layer", output_layers or [], "mynet.pth=conv_last:input"),
            checkpoints=common.named_values("--checkpoints", checkpoints or []),
            crop=crop,
            limit=limit,
            content=content,  # type: ignore[arg-type]
            photo_from=photo_from,
            tsne_seeds=tsne_seeds,
            global_residual=global_residual,
            allow_torchscript=allow_torchscript,
            out=out,
            resume=resume,
            overwrite=overwrite,
            seed=seed,
            device=device,
            precision=precision,  # type: ignore[arg-type]
            threads=threads,
            progress=bars,
        )
    page = out / "report.html"
    if as_json:
        common.print_json(_summary(result, page))
    _say(result)
    common.say(str(page.resolve()))


command.__doc__ = HELP


def _say(result: AnalysisResult) -> None:
    for verdict in result.verdicts:
        common.say(f"[{verdict.view}] {verdict.sentence}")
    for comparison in result.comparisons:
        common.say(comparison.sentence)
    for note in result.notes:
        common.say(in_options(note, {"photo_from": "--photo-from"}))
    for entry in result.networks:
        for note in entry.summary.notes:
            common.say(f"{entry.name}: {note}")
    for skipped in result.skipped:
        common.say(f"skipped {skipped.path}: {skipped.reason}")


def _summary(result: AnalysisResult, page: Path) -> dict[str, Any]:
    keys = (
        "images",
        "photos",
        "groups",
        "balanced",
        "content",
        "content_groups",
        "skipped",
        "notes",
        "verdicts",
        "comparisons",
    )
    values = result.to_json()
    last = [
        {
            "name": entry.name,
            "layers": [layer.to_json() for layer in entry.layers if layer.layer == entry.layers[-1].layer],
        }
        for entry in result.networks
    ]
    return {"out": str(page.parent), "report": str(page)} | {key: values[key] for key in keys} | {"last_hr_layer": last}
