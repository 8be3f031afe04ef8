"""Filtering images: the public function."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrscope.errors import InputError, RunConflictError
from ddrscope.filtering.conditions import Condition
from ddrscope.filtering.deciding import Decided, count_matches, decide, notes_on_values
from ddrscope.filtering.output import OUTPUTS, PLACES, write_outputs
from ddrscope.filtering.parsing import parse_expression
from ddrscope.filtering.result import FilteredImage, FilterResult
from ddrscope.filtering.sources import Identifying, absolute, companion, identified, only_given, rows_of
from ddrscope.filtering.tables import read_table, table_in
from ddrscope.filtering.transfer import Transfer
from ddrscope.images.remote import is_remote
from ddrscope.io.files import sha256
from ddrscope.io.paths import expand, expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.progress import NullProgress, Progress

# As of `ddrscope.identify`, whose module is imported only if something is to be identified.
_TILES = 16


def filter_images(
    images: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    reject: str | Sequence[str],
    move: bool = False,
    copy: bool = False,
    dry_run: bool = False,
    tiles: int | None = _TILES,
    identifier: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    progress: Progress | None = None,
) -> FilterResult:
    """Decide by expressions which images to keep, and list, copy or move them.

    An image is rejected if an expression holds for it. About an image that cannot be read, or is too small to be
    identified, nothing is decided: it is neither kept nor rejected and stays where it is. A comparison with a column
    that has no value for an image is false.

    Args:
        images: Folders, globs, lists (.txt), files or URIs, which are identified first; or one table that
            `ddrscope.identify` wrote (.parquet, .csv, .jsonl).
        out: Output directory. It receives ``keep.txt``, ``reject.txt``, ``error.txt``, ``decisions.csv``,
            ``borderline.png`` (the images nearest to a threshold) and, of images, ``identification.parquet``. None:
            nothing is written.
        reject: One or several expressions, as ``blur_sigma > 1.5 or jpeg_quality < 70``. Their names are those of the
            table's columns. `ddrscope.filtering.parsing` has the grammar.
        move: Move kept images to ``kept`` in ``out`` and rejected ones to ``rejected``, subfolders kept.
        copy: Copy them.
        dry_run: Decide only; nothing is written.
        tiles: The largest number of tiles of 128 x 128 pixels to look at in each image; None for all.
        identifier: A file that `ddrscope.fit_identifier` wrote. Default: the bundled identifier.
        resume: Continue an interrupted run; start if there is none.
        overwrite: Replace the lists and tables of an earlier run. Copied and moved images are never deleted.
        device: Where the network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where it is faster.
        threads: Processor threads; 0 for all.
        progress: Shows how far the work is.

    Returns:
        The decision about each image with its reasons.

    Raises:
        InputError: An expression is not one, or does not fit the columns; there are no images; the table cannot be
            read; or a parameter is not usable.
        RunConflictError: ``out`` is not empty and neither ``resume`` nor ``overwrite`` is given, it holds another run
            or images that ``overwrite`` would leave there, or another process works in it.

    Examples:
        >>> result = ddrscope.filter_images("photos", "sorted", reject="group == 'blur' and level >= 3", copy=True)
        >>> [(image.path, image.reason) for image in result.rejected]
        >>> ddrscope.filter_images("findings.parquet", reject=["probability < 0.5", "unseen"]).to_frame()
    """
    texts = (reject,) if isinstance(reject, str) else tuple(reject)
    conditions = [parse_expression(text) for text in texts]
    _check_arguments(conditions, out, move, copy, dry_run, tiles)
    sources = [images] if isinstance(images, str | Path) else list(images)
    sources = [source if is_remote(str(source)) else expand(str(source)) for source in sources]
    table = table_in(sources)
    identifying = Identifying(tiles, expand_path(identifier) if identifier else None, device, precision, threads)
    progress = progress or NullProgress()
    if table is None:
        # Before hours of work; what does not fit the columns raises here.
        rows_of(identifying.empty_table(), conditions)
    if out is None or dry_run:
        found = read_table(table) if table else identifying.rows(sources, progress)
        rows, bound = rows_of(found, conditions)
        decided = [decide(row, bound) for row in rows]
        return _result(None, texts, bound, decided, [each.to_row() for each in decided])
    out = expand_path(out)
    action = "move" if move else "copy" if copy else "list"
    settings: dict[str, Any] = {"reject": list(texts), "action": action}
    inputs = None
    if table is None:
        settings |= {"images": [absolute(source) for source in sources], **identifying.to_manifest()}
    else:
        inputs = {"table": sha256(table)}
        rows, bound = rows_of(read_table(table), conditions, companion(table))
    _check_out(out, table, overwrite)
    with RunDirectory(out, settings, OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite) as directory:
        if table is None:
            found, index = identified(sources, identifying, out, move, progress)
            rows, bound = rows_of(found, conditions, index)
            rows = only_given(rows, sources) if move else rows
        decided = [decide(row, bound) for row in rows]
        transfer = Transfer(out, directory.parts, move) if move or copy else None
        filtered, notes = write_outputs(out, texts, decided, transfer, progress)
        directory.finish()
    return _result(str(out), texts, bound, decided, filtered, notes)


def _check_arguments(
    conditions: Sequence[Condition], out: str | Path | None, move: bool, copy: bool, dry_run: bool, tiles: int | None
) -> None:
    if not conditions:
        raise InputError("`reject` is missing: give a condition, as 'level > 2'")
    if move and copy:
        raise InputError("`move` and `copy` are given: choose one")
    if tiles is not None and tiles < 1:
        raise InputError(f"`tiles`={tiles} is too few: give 1 or more, or None for all")
    if out is None and (move or copy) and not dry_run:
        raise InputError("`out` is missing: give a folder for the images")


def _result(
    out: str | None,
    reject: tuple[str, ...],
    conditions: Sequence[Condition],
    decided: Sequence[Decided],
    images: Sequence[FilteredImage],
    notes: Sequence[str] = (),
) -> FilterResult:
    notes = (*notes_on_values(decided, conditions), *notes)
    return FilterResult(out, reject, tuple(images), count_matches(decided, conditions), notes)


def _check_out(out: Path, table: Path | None, overwrite: bool) -> None:
    if table and Path(os.path.realpath(table)).is_relative_to(os.path.realpath(out)):
        raise RunConflictError(f"{table} lies in {out}, where results go: choose another `out`")
    for place in (out / name for name in PLACES.values()):
        if overwrite and os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
            raise RunConflictError(
                f"{place} holds the images of an earlier run, which are never deleted: move them away, or choose another `out`"
            )
