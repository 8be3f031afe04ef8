"""`ddrscope identify`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.io.files import sha256

if TYPE_CHECKING:
    from ddrscope.identification import IdentifiedImage

HELP = """Identify the degradation of images: type, level, whether it is like anything known, and where.

Each image gives a row: path, type (the most likely of 24 distortions and clean), group, probability, level (1 slight to
5 strong; 0 for clean) with its 80 % interval, novelty (0 to 1: the share of images with known distortions that are more
ordinary), unseen (novelty above 0.95), error (why a file could not be read), and p_TYPE, the probability that TYPE is
present, for every type. --heatmap draws where, a PNG for each image. Without --out the rows are printed.

\b
Examples:
  ddrscope identify photo.jpg
  ddrscope identify photos --out findings.parquet --heatmap maps
  ddrscope identify photos --out findings.csv --identifier mine.safetensors --resume
"""


def command(
    images: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Images: folders, globs, lists (.txt), files.")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="FILE.parquet, .csv or .jsonl.")] = None,
    heatmap: Annotated[
        Path | None, typer.Option("--heatmap", metavar="DIR", help="Folder for heatmaps: photo.jpg.png of photo.jpg.")
    ] = None,
    tiles: Annotated[
        str,
        typer.Option("--tiles", metavar="N", help="Tiles of 128 x 128 pixels of each image, spread evenly; or all."),
    ] = "16",
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
    from ddrscope.identification import identify, iter_identifications

    limit = tile_limit(tiles)
    if out is None and cluster is None:
        rows = []
        with common.progress() as bars:
            for image in iter_identifications(
                images, heatmap=heatmap, tiles=limit, identifier=identifier, device=device, precision=precision,
                threads=threads, progress=bars,
            ):  # fmt: skip
                rows.append(image)
                if not as_json:
                    common.show(describe(image))
        if as_json:
            common.print_json([image.to_row() for image in rows])
        return
    with common.progress() as bars:
        result = identify(
            images, out=out, heatmap=heatmap, tiles=limit, identifier=identifier, cluster=cluster, resume=resume,
            overwrite=overwrite, device=device, precision=precision, threads=threads, progress=bars,
        )  # fmt: skip
    summary = result.summary
    for path, reason in summary.errors.items():
        common.say(f"{path}: {reason}")
    if as_json and result.path:
        common.print_json(
            {"out": str(out), "rows": summary.images, "errors": len(summary.errors), "unseen": summary.unseen}
            | {"groups": dict(summary.groups), "sha256": sha256(result.path)}
        )
    common.say(f"{out}: {summary.images} images, {len(summary.errors)} of them unreadable or too small")


command.__doc__ = HELP


def describe(image: IdentifiedImage) -> str:
    """A row as a line of text."""
    from ddrscope.results.identification import CLEAN

    identification = image.identification
    if identification is None:
        return f"{image.path}: {image.error}"
    level, kind = identification.level, identification.type
    graded = "" if kind == CLEAN else f", level {level.value:.1f} ({level.low:.1f} to {level.high:.1f})"
    unseen = "; unlike anything known" if identification.unseen else ""
    others = ", ".join(f"{name} {probability:.2f}" for name, probability in identification.others().items())
    also = f"; also {others}" if others else ""
    return f"{image.path}: {kind} (probability {identification.probability:.2f}){graded}{unseen}{also}"


def tile_limit(text: str) -> int | None:
    """The number that ``--tiles`` gives; None for all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"`tiles`={text}: give a number from 1 on, or all")
    return int(text)
