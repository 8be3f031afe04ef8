"""`ddrscope identify`"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ddrscope.batch.finished_file import begun_manifest
from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.identification import Identification, IdentifyTask
from ddrscope.identification.files import bundled_identifier
from ddrscope.identification.run import check_format, heatmap_of, join_tables
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.images import ImageFile, find_images
from ddrscope.io.files import sha256

HELP = """Name the degradation in images: type, level, whether it is like anything known, and where.

Each image gives a row: path, type (the likeliest of 24 distortions and clean), group, probability, level (1 slight to 5 strong; 0 for
clean) with the ends of its 80 % interval, novelty (0 to 1: the share of images with known distortions that are more ordinary), unseen
(novelty above 0.95), error (why a file could not be read), and p_TYPE, the probability that TYPE is present, for every type.
--heatmap draws where, a PNG for each image. Without --out the findings are printed.

\b
Examples:
  ddrscope identify photo.jpg
  ddrscope identify photos --out findings.parquet --heatmap maps
  ddrscope identify photos --out findings.csv --identifier mine.safetensors --resume
"""


def command(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Images: folders, globs, lists (.txt), files.")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="FILE.parquet, .csv or .jsonl.")] = None,
    heatmap: Annotated[
        Path | None, typer.Option("--heatmap", metavar="DIR", help="Folder for maps: photo.jpg.png of photo.jpg.")
    ] = None,
    tiles: Annotated[
        str,
        typer.Option("--tiles", metavar="N", help="Tiles of 128 x 128 pixels read of an image, spread evenly; or all."),
    ] = str(MAX_TILES),
    identifier: Annotated[
        Path | None,
        typer.Option("--identifier", metavar="FILE", help="Of ddrscope fit-identifier. Default: the bundled one."),
    ] = None,
    cluster: common.Cluster = None,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    if out:
        check_format(out)
    elif cluster:
        raise InputError("--cluster is for tables: give --out FILE")
    common.use_threads(threads)
    device = resolve_device(device)
    settled = common.resolve_precision(precision, device, begun_manifest(out) if out and resume else None)
    task = IdentifyTask(identifier, _tile_limit(tiles), heatmap, device, settled)
    worker = task.open()
    if out is None:
        _print(worker, find_images(list(sources)), as_json)
        return
    file = identifier or bundled_identifier()
    settings = {
        "identifier": {"name": file.stem if identifier else "bundled", "sha256": sha256(file)}, "tiles": task.tiles, "precision": settled,
        "heatmap": os.path.abspath(heatmap) if heatmap else None,
    }  # fmt: skip
    drawn = partial(heatmap_of, heatmap) if heatmap else None
    with common.progress() as bars:
        results = [heatmap] if heatmap else []
        shards = ShardedFile(out, sources, settings, resume, overwrite, drawn=drawn, results=results, progress=bars)
        finished = shards.is_finished()
    if finished:
        common.say(f"{out} is there and as it was written: nothing to do")
        return
    with common.progress() as bars, shards:
        bars.start("identifying", shards.images)
        common.process_shards(shards, task, worker, bars, cluster, threads)
        found = join_tables(shards.tables(), out)
        written = shards.finish()
    for path, reason in found.bad:
        common.say(f"{path}: {reason}")
    if as_json:
        common.print_json(
            {"out": str(out), "rows": found.rows, "errors": len(found.bad), "unseen": found.unseen}
            | {"groups": dict(found.groups.most_common()), "sha256": written}
        )
    common.say(f"{out}: {found.rows} images, {len(found.bad)} of them unreadable or too small")


command.__doc__ = HELP


def _tile_limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--tiles {text}: give a number from 1 on, or all")
    return int(text)


def _print(worker: Identification, files: list[ImageFile], as_json: bool) -> None:
    rows = []
    for file, row in zip(files, worker.rows(files), strict=True):
        rows.append(row)
        if as_json:
            continue
        if row["error"]:
            common.show(f"{file.name}: {row['error']}")
            continue
        level = (
            ""
            if row["type"] == "clean"
            else f", level {row['level']:.1f} ({row['level_low']:.1f} to {row['level_high']:.1f})"
        )
        unseen = "; unlike anything known" if row["unseen"] else ""
        also = sorted(((p, n) for n, p in _others(row) if p > 0.3), reverse=True)
        more = "; also " + ", ".join(f"{name} {p:.2f}" for p, name in also) if also else ""
        common.show(f"{file.name}: {row['type']} (probability {row['probability']:.2f}){level}{unseen}{more}")
    if as_json:
        common.print_json(rows)


def _others(row: dict[str, Any]) -> list[tuple[str, float]]:
    return [(key[2:], value) for key, value in row.items() if key.startswith("p_") and key[2:] != row["type"]]
