"""`ddrscope features`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.io.files import sha256

HELP = """Write a network's features to a file for other tools.

FILE.npy is float32 (N, C*H*W), or (N, 2C) pooled, rows sorted by path, with the names in FILE.txt; FILE.parquet has the
columns picture (the name) and features.

\b
Examples:
  ddrscope features srresnet-wgr --out clean.npy
  ddrscope features mynet.pth --images photos --degrade blur:4 --layer 'body.7' --view pooled --out blurred.parquet
"""


def command(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name, checkpoint or module:function.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="FILE.npy or FILE.parquet.")],
    images: Annotated[
        list[str] | None, typer.Option("--images", metavar="DIR", help="Clean images. Default: the bundled.")
    ] = None,
    degradation: Annotated[
        str, typer.Option("--degrade", metavar="D", help="A degradation, as blur:4 (sigma in HR pixels).")
    ] = "clean",
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="L", help="Layer name. Default: the last HR layer.")
    ] = None,
    view: Annotated[str, typer.Option("--view", help="flattened or pooled.")] = "flattened",
    crop: Annotated[
        int, typer.Option("--crop", help="Side of the centred crop in HR pixels, a multiple of the scale.")
    ] = 128,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    cluster: common.Cluster = None,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    device: common.Device = "auto",
    precision: common.Precision = "auto",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.extraction import extract_features

    with common.progress() as bars:
        result = extract_features(
            network, images, out, layer=layer, view=view, degradation=degradation, crop=crop,
            global_residual=global_residual, allow_torchscript=allow_torchscript, cluster=cluster, resume=resume,
            overwrite=overwrite, seed=seed, device=device, precision=precision, threads=threads, progress=bars,
        )  # fmt: skip
    for path, reason in result.skipped.items():
        common.say(f"skipped {path}: {reason}")
    if as_json:
        common.print_json(
            {"out": str(out), "rows": len(result), "sha256": sha256(out), "layer": result.layer, "view": result.view}
            | {"skipped": dict(result.skipped)}
        )
    common.say(f"{out}: {len(result)} rows of {result.layer} ({result.view})")


command.__doc__ = HELP
