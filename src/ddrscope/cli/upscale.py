"""`ddrscope upscale`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options

HELP = """Upscale images with any network, and identify how they were degraded.

Writes stem.png (or --format) for each image, subfolders kept; two images of one stem keep their suffixes too
(IMG_1.jpg.png). Depth of 16 bits (PNG), transparency, colour profile, EXIF and resolution are kept, and images are
turned upright. Large images go through the network in tiles of --tile input pixels a side, read with --overlap more on
each side, so that there are no seams. --scale 2 with a x4 network is reached by bicubic shrinking.

upscale.json lists what was done with each image, and why an image was not upscaled. --compare draws each image beside
its bicubic enlargement; --explain draws where a guided network places it among known degradations.

\b
Examples:
  ddrscope upscale photo.jpg --out large
  ddrscope upscale photos --out double --scale 2 --format jpg --compare
  ddrscope upscale scans --out readable --network mine.pth --tile 128
"""


def command(
    images: Annotated[list[str], typer.Argument(metavar="IN...", help="Images: folders, globs, lists (.txt), files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    network: Annotated[
        str,
        typer.Option(
            "--network", metavar="NETWORK", help="A name of ddrscope models list, a checkpoint, or module:function."
        ),
    ] = "blind-ddr",
    scale: Annotated[
        int | None, typer.Option("--scale", help="Scale of the result: the network's own, or a divisor of it.", min=1)
    ] = None,
    format: Annotated[str, typer.Option("--format", help="png, jpg, webp or tif; 16 bits only as png.")] = "png",
    tile: Annotated[int, typer.Option("--tile", help="Input pixels a side of a tile, a multiple of 8.", min=8)] = 256,
    overlap: Annotated[
        int, typer.Option("--overlap", help="Input pixels read around a tile, a multiple of 8.", min=0)
    ] = 40,
    compare: Annotated[
        bool, typer.Option("--compare", help="Draw compare/stem.png: bicubic enlargement beside the result.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw explain/stem.png: its place among known degradations.")
    ] = False,
    identify: Annotated[
        bool, typer.Option("--identify/--no-identify", help="Identify the distortion of each input.")
    ] = True,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.upscaling import upscale
    from ddrscope.upscaling.malloc_tuning import keep_freed_memory

    keep_freed_memory()
    with common.progress() as bars:
        result = upscale(
            images,
            out,
            network=network,
            scale=scale,
            format=format,
            tile=tile,
            overlap=overlap,
            compare=compare,
            explain=explain,
            identify=identify,
            global_residual=global_residual,
            allow_torchscript=allow_torchscript,
            resume=resume,
            overwrite=overwrite,
            device=device,
            precision=precision,  # type: ignore[arg-type]
            threads=threads,
            progress=bars,
        )
    for note in result.notes:
        common.say(in_options(note, {"format": "--format"}))
    if as_json:
        common.print_json(result.to_json())
    if result.was_finished:
        common.say(f"{out} is done: nothing to do")
        return
    for image in result.images:
        if image.error:
            common.say(in_options(image.error, {"format": "--format", "tile": "--tile", "precision": "--precision"}))
        elif image.found:
            common.say(f"{image.path}: {image.found}")
    common.say(
        f"{out}: {result.written} images by {result.network} (x{result.scale}), "
        f"{len(result.images) - result.written} not upscaled"
    )


command.__doc__ = HELP
