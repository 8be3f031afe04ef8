"""`ddrscope map`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common
from ddrscope.cli.messages import in_options
from ddrscope.errors import InputError
from ddrscope.io.paths import expand_path

HELP = """Map up to millions of points: measures, a t-SNE plane, a page.

FILEs are pooled features of one network and layer, as `ddrscope features --view pooled --out FILE.parquet` writes them, one FILE for each
degradation or set. Measures are of all points. t-SNE is fitted to a sample, and every other point is placed on its plane.

Writes map.parquet, map.json, map.html and figures/ (PNG and PDF) into --out.

\b
Examples:
  ddrscope map clean=clean.parquet blurred=blurred.parquet --out map
  ddrscope map features.parquet --label camera --sample 10000 --out cameras
"""


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]FILE.parquet ...",
            help="Pooled features. NAME is that of the group; default: the file's stem.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="COLUMN", help="A column whose values are the groups. Default: each file is a group."
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", help="Points that t-SNE is fitted to, equally many of each group.")
    ] = 5000,
    perplexity: Annotated[float, typer.Option("--perplexity", help="Perplexity of t-SNE.")] = 30,
    photo_from: common.PhotoFrom = "prefix",
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep a finished map; an interrupted one is computed from the start.")
    ] = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.maps import map_features

    with common.progress() as bars:
        result = map_features(
            named_files(files),
            label=label,
            sample=sample,
            perplexity=perplexity,
            photo_from=photo_from,
            out=out,
            resume=resume,
            overwrite=overwrite,
            seed=seed,
            threads=threads,
            progress=bars,
        )
    page = out / "map.html"
    if as_json:
        data = result.to_json()
        keys = ("points", "features", "balanced", "groups", "measures", "perplexity", "placed_by", "notes")
        common.print_json({"out": str(out), "page": str(page)} | {key: data[key] for key in keys})
    for note in result.notes:
        common.say(in_options(note, {"photo_from": "--photo-from"}))
    common.say(str(page.resolve()))


command.__doc__ = HELP


def named_files(words: list[str]) -> dict[str, str]:
    """Files by name from `NAME=FILE` or FILE, which is named by its stem.

    Raises:
        InputError: A name is given twice, or empty.
    """
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
