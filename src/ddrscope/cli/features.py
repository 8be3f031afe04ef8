"""`ddrscope features`"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from ddrscope.analysis import choose_layers
from ddrscope.batch.finished_file import begun_manifest
from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.cli import common
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.extraction.feature_files import SHARD_IMAGES, check_out, join_features, names_of, restore_features
from ddrscope.extraction.run import Export, ExportTask
from ddrscope.features import VIEWS
from ddrscope.features.device import resolve_device
from ddrscope.images import bundled_photos
from ddrscope.networks import load_network

HELP = """Write a network's features to a file for other tools.

FILE.npy is float32 (N, C*H*W), or (N, 2C) pooled, rows sorted by path, with the names in FILE.txt; FILE.parquet has the columns
image and features.

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
    degrade: Annotated[
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
    check_out(out)
    if view not in VIEWS:
        raise InputError(f"--view {view!r} is unknown: choose {' or '.join(VIEWS)}")
    common.use_threads(threads)
    device = resolve_device(device)
    loaded = load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript).to(device)
    if crop % loaded.scale:
        raise InputError(f"--crop {crop} is no multiple of the network's scale {loaded.scale}")
    pipeline = parse_degradation(degrade)
    pipeline.check_scale(loaded.scale)
    settled = common.resolve_precision(precision, device, begun_manifest(out) if resume else None)
    chosen = choose_layers(loaded, (layer,) if layer else (), _sample(loaded.channels, crop // loaded.scale, device))
    if len(chosen) > 2:
        raise InputError(f"--layer {layer} names {len(chosen) - 1} layers ({', '.join(chosen[:3])} ...): name one")
    settings = {
        "network": loaded.identity(), "global_residual": loaded.global_residual, "layer": chosen[0], "view": view,
        "degrade": pipeline.text, "crop": crop, "seed": seed, "precision": settled,
    }  # fmt: skip
    with common.progress() as bars:
        shards = ShardedFile(
            out, images or [bundled_photos()], settings, resume, overwrite, SHARD_IMAGES,
            restore=partial(restore_features, out), beside=names_of(out), progress=bars,
        )  # fmt: skip
        finished = shards.is_finished()
    if finished:
        common.say(f"{out} is there and as it was written: nothing to do")
        return
    common.say_notes(loaded)
    with common.progress() as bars, shards:
        task = ExportTask(
            network, chosen[0], view, pipeline.text, crop, seed, settled, device, global_residual, allow_torchscript
        )
        bars.start(f"{chosen[0]} of {loaded.name}", shards.images)
        common.process_shards(shards, task, Export(task, loaded), bars, cluster, threads)
        rows, skipped = join_features(shards, out)
        written = shards.finish()
    for path, reason in skipped.items():
        common.say(f"skipped {path}: {reason}")
    if as_json:
        summary = {
            "out": str(out),
            "rows": rows,
            "sha256": written,
            "layer": chosen[0],
            "view": view,
            "skipped": skipped,
        }
        common.print_json(summary)
    common.say(f"{out}: {rows} rows of {chosen[0]} ({view})")


command.__doc__ = HELP


def _sample(channels: int, side: int, device: str) -> torch.Tensor:
    return torch.zeros(1, channels, side, side, device=device)
