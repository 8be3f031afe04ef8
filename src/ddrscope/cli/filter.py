"""`ddrscope filter`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddrscope.cli import common
from ddrscope.errors import InputError

if TYPE_CHECKING:
    from ddrscope.filtering import FilterResult

# Lines of a dry run, and of errors: the files have all.
SHOWN_REJECTED, SHOWN_ERRORS = 10, 10

HELP = """Keep or reject images by what is identified in them.

IN is images, which are identified first, or one table of ddrscope identify (.parquet, .csv, .jsonl), whose rows are
used as they are. An image is rejected if an expression holds for it; several --reject are joined by or. An image that
cannot be read or is too small is neither kept nor rejected: it has an error.

\b
Expressions:
  NAME > 1.5, also <, >=, <=, ==, !=, and chains: 0.5 < NAME <= 2
  type == "jpeg", group != "clean"      texts in quotes, by == and != only
  unseen                                a column of yes and no, alone
  not A, A and B, A or B, ( )           not before and, and before or

NAME is a column of the table: blur_sigma (pixels), noise_sigma (of 255), jpeg_quality (1 to 100), native_scale (enlarged
by this factor), exposure (stops), each with _low and _high (its 80 % interval), level (1 slight to 5 strong, 0 clean),
probability and p_TYPE (0 to 1), novelty (0 to 1), type, group, unseen, and every other that the table has. A comparison
with a column that has no value for an image is false.

\b
DIR gets:
  keep.txt, reject.txt, error.txt       lists of images, which every command takes as images
  decisions.csv                         path, decision, reason in words
  borderline.png                        the 24 images that are nearest to a threshold
  identification.parquet                if IN is images; as IN it serves to try other expressions
  kept/, rejected/                      with --copy or --move: the images, subfolders kept

No file is ever overwritten, symbolic links out of IN are not followed, and a killed run continues with --resume.

\b
Examples:
  ddrscope filter photos --reject "blur_sigma > 1.5 or jpeg_quality < 70 or native_scale > 1.2" --dry-run
  ddrscope filter photos --reject "level > 2 or probability < 0.5" --out sorted
  ddrscope filter findings.parquet --reject unseen --reject "p_jpeg > 0.8" --out sorted --move
"""


def command(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="Images: folders, globs, lists (.txt), files; or one table of identify."),
    ],
    reject: Annotated[
        list[str], typer.Option("--reject", metavar="EXPRESSION", help="Reject images for which it holds; repeatable.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the lists, and for images.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Write lists only. This is the default.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Also copy images to kept and rejected in DIR.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Also move images to kept and rejected in DIR.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print how many are rejected and why, and write nothing.")
    ] = False,
    tiles: common.Tiles = "16",
    identifier: common.IdentifierFile = None,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    from ddrscope.filtering import filter_images

    if list_only and (copy or move):
        raise InputError("`list_only` and `copy` or `move` are given: choose one")
    if out is None and not dry_run:
        raise InputError("`out` is missing: give a folder, or `dry_run`")
    with common.progress() as bars:
        result = filter_images(
            images, out, reject=reject, move=move, copy=copy, dry_run=dry_run, tiles=common.tile_limit(tiles),
            identifier=identifier, resume=resume, overwrite=overwrite, device=device, precision=precision,
            threads=threads, progress=bars,
        )  # fmt: skip
    for note in result.notes:
        common.say(note)
    say_errors(result)
    if dry_run and not as_json:
        for image in result.rejected[:SHOWN_REJECTED]:
            common.show(f"reject {image.path}: {image.reason}")
        if len(result.rejected) > SHOWN_REJECTED:
            common.show(f"... and {len(result.rejected) - SHOWN_REJECTED} more")
    if as_json:
        common.print_json(result.to_json())
    (common.show if dry_run and not as_json else common.say)(summary(result))


command.__doc__ = HELP


def say_errors(result: FilterResult) -> None:
    """Print the first errors."""
    for image in result.errors[:SHOWN_ERRORS]:
        common.say(f"{image.path}: {image.reason}")
    if len(result.errors) > SHOWN_ERRORS:
        more = len(result.errors) - SHOWN_ERRORS
        common.say(f"... and {more} more with an error" + (f": see {result.out}/decisions.csv" if result.out else ""))


def summary(result: FilterResult) -> str:
    """The counts, and what rejected how many, in a line."""
    counts = f"{len(result.kept)} kept, {len(result.rejected)} rejected, {len(result.errors)} with an error"
    why = ", ".join(f"{comparison} ({count})" for comparison, count in result.matches.items())
    return f"{result.out or 'nothing was written'}: {counts}" + (f"; rejected by {why}" if why else "")
