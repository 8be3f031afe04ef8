"""`ddrscope upscale`"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.identification import load_identifier
from ddrscope.images import PictureFile, find_pictures
from ddrscope.networks import load_network
from ddrscope.report.restoration import write_comparison, write_explanation
from ddrscope.restoration import Original, UpscaleRun, map_embeddings
from ddrscope.restoration.files import FORMATS
from ddrscope.restoration.run import SUMMARY, earlier_results
from ddrscope.restoration.tiles import OVERLAP, TILE
from ddrscope.store import RunFolder, read_json

DEFAULT = "blind-ddr"

HELP = """Enlarge pictures by any network, and say what was wrong with them.

Writes stem.png (or --format) for each picture, subfolders kept; depth of 16 bits (PNG), transparency, colour profile and EXIF stay, and
pictures are turned upright. Large pictures go through the network tile by tile: an input of --tile pixels a side, and --overlap more on
each side, so that no seam shows. --scale 2 from a x4 network is shrunk bicubically.

upscale.json says what was done, and why a picture was not. --compare draws each beside bicubic enlargement; --explain shows where a guided
network places it among known damages.

\b
Examples:
  ddrscope upscale photo.jpg --out large
  ddrscope upscale photos --out double --scale 2 --format jpg --compare
  ddrscope upscale scans --out readable --network mine.pth --tile 128
"""


def command(
    sources: Annotated[list[str], typer.Argument(metavar="IN...", help="Pictures: folders, globs, lists (.txt), files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    network: Annotated[
        str, typer.Option("--network", metavar="NETWORK", help="A name of ddrscope models list, a checkpoint, or module:function.")
    ] = DEFAULT,
    scale: Annotated[
        int | None, typer.Option("--scale", help="Of the result: the network's own, or a whole fraction of it.", min=1)
    ] = None,
    format: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}; 16 bits only as png.")] = "png",
    tile: Annotated[int, typer.Option("--tile", help="Input pixels a side of a tile, a multiple of 8.", min=8)] = TILE,
    overlap: Annotated[int, typer.Option("--overlap", help="Input pixels read around a tile, a multiple of 8.", min=0)] = OVERLAP,
    compare: Annotated[bool, typer.Option("--compare", help="Draw compare/stem.png: bicubic enlargement beside the result.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Draw explain/stem.png: its place among known damages.")] = False,
    identify: Annotated[
        bool, typer.Option("--identify/--no-identify", help="Say what ddrscope identify finds in each input.")
    ] = True,
    global_residual: common.GlobalResidual = None,
    trust: common.Trust = False,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    device: common.Device = "cpu",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    common.use_threads(threads)
    common.keep_freed_memory()
    loaded = load_network(network, global_residual=global_residual, trust=trust).to(common.check_device(device))
    # Results below one of the sources are no sources.
    files = [file for file in find_pictures(list(sources)) if isinstance(file.path, str) or not file.path.is_relative_to(out.resolve())]
    if not files:
        raise InputError(f"every picture lies below --out {out}, where results go: choose an --out elsewhere")
    settled = common.settle_precision(precision, device, out if resume else None)
    run = UpscaleRun(loaded, files, out, scale, format, tile, overlap, settled)
    known = map_embeddings(loaded) if explain else None
    common.say_notes(loaded)
    identifier = load_identifier(None, device) if identify else None

    def watch(file: PictureFile, original: Original, made: NDArray[np.unsignedinteger]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        color = original.rgb
        found = file.name
        if identifier:
            try:
                finding = identifier.identify(color)
            except InputError as error:
                found += f": {error}"
            else:
                found += f": {finding}"
                said["found"] = {"type": finding.type, "probability": finding.probability, "level": finding.level}
        if compare:
            write_comparison(run.out / "compare" / PurePosixPath(file.name).with_suffix(".png"), original.color, made, loaded.name, found)
        if known:
            write_explanation(run.out / "explain" / PurePosixPath(file.name).with_suffix(".png"), known, known.place(color), found)
        common.say(found)
        return said

    settings = {
        "network": loaded.describe(), "files": [str(file.path) for file in files], "scale": scale, "format": format, "tile": tile,
        "overlap": overlap, "precision": settled, "compare": compare, "explain": explain, "identify": identify,
    }  # fmt: skip
    before = earlier_results(out) if overwrite else []
    with RunFolder(out, settings, resume, overwrite) as folder:
        if resume and (out / SUMMARY).exists():
            folder.finish()
            if as_json:
                common.print_json(read_json(out / SUMMARY))
            common.say(f"{out} is done: nothing to do")
            return
        for result in before:
            result.unlink(missing_ok=True)
        with common.progress() as bars:
            rows = run.every(folder.parts, bars, watch)
        for row in rows:
            if row["error"]:
                common.say(row["error"])
        summary = run.summarize(rows)
        folder.finish()
    if as_json:
        common.print_json(summary)
    shrunk = f", shrunk to x{scale}" if scale and scale < loaded.scale else ""
    made = sum(row["out"] is not None for row in rows)
    common.say(f"{out}: {made} pictures by {loaded.name} (x{loaded.scale}{shrunk}), {len(rows) - made} not enlarged")


command.__doc__ = HELP
