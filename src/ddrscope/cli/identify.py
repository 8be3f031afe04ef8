"""`ddrscope identify`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddrscope.cli import common
from ddrscope.io.files import sha256

if TYPE_CHECKING:
    from ddrscope.identification import IdentifiedImage

HELP = """What is wrong with images: a verdict for each, with estimates in pixels, sigma and JPEG quality.

Each image gives a row: path, type (the most likely of the known distortions and clean), group, probability, level (1 slight
to 5 strong; 0 for clean) with its 80 % interval, novelty and unseen (is it like anything known), physical estimates, error
(why a file could not be read), and p_TYPE, the probability that TYPE is present, for every type.

Estimates, each with its 80 % interval in the columns _low and _high: blur_sigma (pixels), noise_sigma (of 255), jpeg_quality
(1 to 100; 100: never compressed), first_jpeg_quality (of an earlier compression), native_scale (enlarged by this factor),
motion_length (pixels), exposure (stops).

Without --out a line for each image is printed. --heatmap draws where, a PNG for each image.

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
    tiles: common.Tiles = "16",
    identifier: common.IdentifierFile = None,
    descriptor: Annotated[
        str,
        typer.Option(
            "--descriptor",
            metavar="compact|ddr",
            help="Which bundled identifier: compact, a small network of its own, or ddr, the features of a "
            "super-resolution network (slow, no physical estimates).",
        ),
    ] = "compact",
    cluster: common.Cluster = None,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.identification import identify, iter_identifications

    limit = common.tile_limit(tiles)
    if out is None and cluster is None:
        rows = []
        with common.progress() as bars:
            for image in iter_identifications(
                images, heatmap=heatmap, tiles=limit, identifier=identifier, descriptor=descriptor, device=device, precision=precision,
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
            images, out=out, heatmap=heatmap, tiles=limit, identifier=identifier, descriptor=descriptor, cluster=cluster, resume=resume,
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
    return f"{image.path}: {image.identification or image.error}"
