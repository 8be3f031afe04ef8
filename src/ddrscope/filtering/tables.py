"""Tables of identified images as input: whatever columns they have, and the files that their rows are of."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ddrscope.batch.image_lists import ImageList
from ddrscope.batch.shard_store import DIGEST, ERROR
from ddrscope.errors import InputError, escaped, printable
from ddrscope.images import ImageFile
from ddrscope.images.naming import unique_names
from ddrscope.images.remote import is_remote
from ddrscope.io.files import is_file

SUFFIXES = (".parquet", ".csv", ".jsonl")
PATH = "path"
# A file with its SHA-256, where that is known.
Indexed = tuple[ImageFile, str | None]
_TEXTS, _FLAGS = (PATH, "type", "group", ERROR), ("unseen",)
# What the readers raise for files that are corrupt or of another kind.
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, pa.ArrowException)


@dataclass(frozen=True)
class Candidate:
    """A row of a table, with its file.

    Attributes:
        file: The image file.
        path: Its path as the table has it.
        values: The columns that are needed; None where there is no value.
        error: Why there is nothing to decide by; None if there is.
        sha256: SHA-256 of the file when it was identified; None if it is not known.
    """

    file: ImageFile
    path: str
    values: dict[str, Any]
    error: str | None = None
    sha256: str | None = None


def table_in(sources: Sequence[str | Path]) -> Path | None:
    """The table among the sources; None if they are images.

    Raises:
        InputError: A table is given together with other sources.
    """
    tables = [Path(source) for source in sources if str(source).endswith(SUFFIXES) and is_file(Path(source))]
    if tables and len(sources) > 1:
        raise InputError(f"{tables[0]} is a table and not the only input: give one table, or images")
    return tables[0] if tables else None


def read_table(path: Path) -> pa.Table:
    """The rows of a table that `ddrscope.identify` wrote, or of one with other columns added.

    Raises:
        InputError: The file cannot be read as a table, or has no column ``path``.
    """
    try:
        table = _READERS[path.suffix](path)
    except _UNREADABLE as error:
        raise InputError(f"{path} cannot be read as a table: {printable(str(error))[:200]}") from None
    twice = next((name for name in table.column_names if table.column_names.count(name) > 1), None)
    if twice:
        raise InputError(f"{path} has two columns {printable(twice)}: remove one")
    if PATH not in table.column_names or not _is_text(table.schema.field(PATH).type) or table[PATH].null_count:
        raise InputError(f"{path} is no table of identified images: it has no column path with a path in each row")
    if not len(table):
        raise InputError(f"{path} has no rows")
    return table


def candidates(table: pa.Table, columns: Sequence[str], index: Path | None = None) -> list[Candidate]:
    """The rows of a table, in their order, each file once.

    Args:
        table: As `read_table` gives it.
        columns: The columns that are needed.
        index: The file ``FILE.images`` of the run that wrote the table, which has the files' hashes, and their names
            where the table has only what can be printed of them. It is not needed.

    Returns:
        The rows. A file that is in the table a second time has an error there.
    """
    paths = [str(path) for path in table[PATH].to_pylist()]
    found = _indexed(paths, _read_index(index) if index else []) or [(file, None) for file in _files_of(paths)]
    wanted = [name for name in dict.fromkeys(columns) if name != PATH]
    errors = table[ERROR].to_pylist() if ERROR in table.column_names else [None] * len(table)
    rows, seen = [], set()
    for path, (file, digest), values, error in zip(paths, found, _rows(table, wanted), errors, strict=True):
        reason = (
            "is in the table a second time" if file.path in seen else None if error is None else printable(str(error))
        )
        seen.add(file.path)
        rows.append(Candidate(file, escaped(path), values | {PATH: path}, reason, digest))
    return rows


def _rows(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    return table.select(columns).to_pylist() if columns else [{} for _ in range(len(table))]


def _indexed(paths: Sequence[str], index: Sequence[Indexed]) -> list[Indexed] | None:
    """The files of the rows in the index; None unless it has all of them.

    A table that was not changed has the rows of its index. In others, files of which the same is printed are not
    distinguished, so they count as missing.
    """
    texts = [escaped(str(file.path)) for file, _ in index]
    if texts == paths:
        return list(index)
    once = {text for text, count in Counter(texts).items() if count == 1}
    known = {text: each for text, each in zip(texts, index, strict=True) if text in once}
    return [known[path] for path in paths] if all(path in known for path in paths) else None


def _files_of(paths: Sequence[str]) -> list[ImageFile]:
    """The files of a table without its index, named below the folder that they have in common."""
    sources = [path if is_remote(path) else Path(os.path.abspath(path)) for path in paths]
    local = {path.parent for path in sources if isinstance(path, Path)}
    try:
        base = Path(os.path.commonpath(local)) if local else Path()
    except ValueError:
        # On several drives.
        base = Path()
    depths = {path: len(path.parts) - len(base.parts) if isinstance(path, Path) else 1 for path in sources}
    names = unique_names(depths, {path: max(1, depth) for path, depth in depths.items()})
    return [ImageFile(path, names[path], names[path]) for path in sources]


def _read_index(path: Path) -> list[Indexed]:
    """The files in ``FILE.images`` with their SHA-256; empty if there is no readable one."""
    if not is_file(path):
        return []
    try:
        with ImageList(path) as images:
            groups = list(images.groups([DIGEST]))
    except _UNREADABLE:
        return []
    return [pair for files, table in groups for pair in zip(files, table[DIGEST].to_pylist(), strict=True)]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_csv(path: Path) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(
        column_types={**dict.fromkeys(_TEXTS, pa.large_string()), **dict.fromkeys(_FLAGS, pa.bool_())},
        null_values=[""],
        strings_can_be_null=True,
        true_values=["True", "true"],
        false_values=["False", "false"],
    )
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parsing, convert_options=options)


def _read_jsonl(path: Path) -> pa.Table:
    columns: dict[str, None] = {}
    rows = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            columns.update(dict.fromkeys(row))
            rows.append(row)
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in columns})


_READERS = {".parquet": lambda path: pq.ParquetFile(path).read(), ".csv": _read_csv, ".jsonl": _read_jsonl}
