"""`ddrscope map`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.io.files import read_json
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.maps import MapSettings, PointMap
from ddrscope.maps.result import OUTPUTS

HELP = """Map a hundred thousand or a million points: measures, a t-SNE plane, a page.

FILEs are pooled features as `ddrscope features --view pooled --out FILE.parquet` writes them, of one network and layer, one FILE for each
degradation or set. They are read in batches: measures are exact, t-SNE sees a sample, every other point is placed on its plane.

\b
Examples:
  ddrscope map clean=clean.parquet blurred=blurred.parquet --out map
  ddrscope map features.parquet --label camera --sample 10000 --out cameras
"""


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]FILE.parquet ...", help="Pooled features; NAME of the group, default the file's."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="COLUMN", help="A column whose values are the groups, instead of the files."),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", help="Points that t-SNE sees, equally many of each group.")] = 5000,
    perplexity: Annotated[float, typer.Option("--perplexity", help="Of t-SNE.")] = 30,
    photo_from: common.PhotoFrom = "prefix",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep a map that is finished; one that was interrupted is made from the start."),
    ] = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    settings = MapSettings(named_files(files), label, sample, perplexity, seed, photo_from)
    threads = common.use_threads(threads)
    with common.progress() as bars:
        made = PointMap(settings, threads, bars)
        with RunDirectory(
            out, settings.to_dict(), OUTPUTS, inputs={"files": made.files.digests}, resume=resume, overwrite=overwrite
        ) as folder:
            page = out / "map.html"
            if folder.is_finished("map.json", "map.parquet", "map.html"):
                data = read_json(out / "map.json")
                common.say("finished before: nothing to do")
            else:
                result = made.run(out)
                bars.start("figures and page", 0)
                page, data = result.save(out), result.data
            folder.finish()
    if as_json:
        kept = ("points", "features", "balanced", "groups", "measures", "perplexity", "placed_by", "notes")
        common.print_json({"out": str(out), "page": str(page)} | {key: data[key] for key in kept})
    for note in data["notes"]:
        common.say(note)
    common.say(str(page.resolve()))


command.__doc__ = HELP


def named_files(words: list[str]) -> dict[str, str]:
    """`NAME=FILE` or FILE, which is called by its stem, as a dictionary; raises `InputError` for a name given twice."""
    files: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or expand_path(word).exists():
            name, path = expand_path(word).stem, word
        if not name or not path:
            raise InputError(f"{word!r} is not of the form NAME=FILE.parquet")
        if name in files:
            raise InputError(f"two files are called {name!r}: give each its own name, as {name}-2={path}")
        files[name] = path
    return files
