"""`ddrscope upscale`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from ddrscope.batch.inputs import find_inputs
from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.identification import load_identifier
from ddrscope.images import ImageFile
from ddrscope.io.files import read_json
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import load_network
from ddrscope.upscaling import SourceImage, UpscaleRun, map_embeddings
from ddrscope.upscaling.image_files import FORMATS
from ddrscope.upscaling.malloc_tuning import keep_freed_memory
from ddrscope.upscaling.run import OUTPUTS, SUMMARY, earlier_results
from ddrscope.upscaling.tiling import OVERLAP, TILE
from ddrscope.viz.upscaling import write_comparison, write_explanation

DEFAULT = "blind-ddr"

HELP = """Enlarge images by any network, and say what was wrong with them.

Writes stem.png (or --format) for each image, subfolders kept; two of one stem keep their suffixes too (IMG_1.jpg.png). Depth of 16 bits
(PNG), transparency, colour profile, EXIF and resolution stay, and images are turned upright. Large images go through the network tile by
tile: an input of --tile pixels a side, and --overlap more on each side, so that no seam shows. --scale 2 from a x4 network is shrunk
bicubically.

upscale.json says what was done, and why an image was not. --compare draws each beside bicubic enlargement; --explain shows where a guided
network places it among known degradations.

\b
Examples:
  ddrscope upscale photo.jpg --out large
  ddrscope upscale photos --out double --scale 2 --format jpg --compare
  ddrscope upscale scans --out readable --network mine.pth --tile 128
"""


def command(
    sources: Annotated[list[str], typer.Argument(metavar="IN...", help="Images: folders, globs, lists (.txt), files.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    network: Annotated[
        str,
        typer.Option(
            "--network", metavar="NETWORK", help="A name of ddrscope models list, a checkpoint, or module:function."
        ),
    ] = DEFAULT,
    scale: Annotated[
        int | None, typer.Option("--scale", help="Of the result: the network's own, or a whole fraction of it.", min=1)
    ] = None,
    format: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}; 16 bits only as png.")] = "png",
    tile: Annotated[int, typer.Option("--tile", help="Input pixels a side of a tile, a multiple of 8.", min=8)] = TILE,
    overlap: Annotated[
        int, typer.Option("--overlap", help="Input pixels read around a tile, a multiple of 8.", min=0)
    ] = OVERLAP,
    compare: Annotated[
        bool, typer.Option("--compare", help="Draw compare/stem.png: bicubic enlargement beside the result.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw explain/stem.png: its place among known degradations.")
    ] = False,
    identify: Annotated[
        bool, typer.Option("--identify/--no-identify", help="Say what ddrscope identify finds in each input.")
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
    common.use_threads(threads)
    keep_freed_memory()
    device = resolve_device(device)
    loaded = load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript).to(device)
    files = find_inputs(sources, [out])
    settled = common.resolve_precision(precision, device, out if resume else None)
    run = UpscaleRun(loaded, files, out, scale, format, tile, overlap, settled)
    flattened: list[ImageFile] = []
    known = map_embeddings(loaded) if explain else None
    common.say_notes(loaded)
    identifier = load_identifier(None, device) if identify else None

    def watch(file: ImageFile, original: SourceImage, made: NDArray[np.unsignedinteger]) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if original.bits > 8 and format != "png":
            flattened.append(file)
        color = original.rgb
        found = file.name
        if identifier:
            try:
                finding = identifier.identify(color)
            except InputError as error:
                found += f": {error}"
            else:
                found += f": {finding}"
                said["found"] = {"type": finding.type, "probability": finding.probability, "level": finding.level.value}
        if compare:
            write_comparison(run.out / "compare" / run.drawing_names[file], original.color, made, loaded.name, found)
        if known:
            write_explanation(run.out / "explain" / run.drawing_names[file], known, known.place(color), found)
        common.say(found)
        return said

    settings = {
        "network": loaded.identity(), "global_residual": loaded.global_residual, "scale": scale or loaded.scale, "format": format,
        "tile": tile, "overlap": overlap, "precision": settled, "compare": compare, "explain": explain, "identify": identify,
    }  # fmt: skip
    beside = [name for name, wanted in (("compare", compare), ("explain", explain)) if wanted]
    before = earlier_results(out) if overwrite else []
    with RunDirectory(out, settings, OUTPUTS, resume=resume, overwrite=overwrite) as folder:
        for result in before:
            result.unlink(missing_ok=True)
        with common.progress() as bars:
            done = run.done(folder.parts, bars, beside)
            if len(done) == len(files) and (out / SUMMARY).exists() and not any(folder.parts.iterdir()):
                folder.finish()
                if as_json:
                    common.print_json(read_json(out / SUMMARY))
                common.say(f"{out} is done: nothing to do")
                return
            rows = run.every(folder.parts, bars, watch, done)
        for row in rows:
            if row["error"]:
                common.say(row["error"])
        if flattened:
            common.say(
                f"{len(flattened)} images of more than 8 bits a channel were written with 8: --format png keeps 16"
            )
        summary = run.summarize(rows)
        folder.finish()
    if as_json:
        common.print_json(summary)
    shrunk = f", shrunk to x{scale}" if scale and scale < loaded.scale else ""
    made = sum(row["out"] is not None for row in rows)
    common.say(f"{out}: {made} images by {loaded.name} (x{loaded.scale}{shrunk}), {len(rows) - made} not enlarged")


command.__doc__ = HELP
