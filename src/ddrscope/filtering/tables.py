"""Tables of identified images as input: whatever columns they have, and the files that their rows are of."""

from __future__ import annotations

import json
import os
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
    known = _read_index(index) if index else {}
    paths = [str(path) for path in table[PATH].to_pylist()]
    files = {path: file for path, (file, _) in known.items()}
    if not all(path in files for path in paths):
        files |= _files_of({path: files[path].path if path in files else _source(path) for path in paths})
    wanted = [name for name in dict.fromkeys(columns) if name != PATH]
    errors = table[ERROR].to_pylist() if ERROR in table.column_names else [None] * len(table)
    rows, seen = [], set()
    for path, values, error in zip(paths, _rows(table, wanted), errors, strict=True):
        reason = "is in the table a second time" if path in seen else None if error is None else printable(str(error))
        seen.add(path)
        _, digest = known.get(path, (None, None))
        rows.append(Candidate(files[path], escaped(path), values | {PATH: path}, reason, digest))
    return rows


def _rows(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    return table.select(columns).to_pylist() if columns else [{} for _ in range(len(table))]


def _source(text: str) -> Path | str:
    return text if is_remote(text) else Path(os.path.abspath(text))


def _files_of(sources: dict[str, Path | str]) -> dict[str, ImageFile]:
    """The files of a table without its index, named below the folder that they have in common."""
    local = {path.parent for path in sources.values() if isinstance(path, Path)}
    try:
        base = Path(os.path.commonpath(local)) if local else Path()
    except ValueError:
        # On several drives.
        base = Path()
    depths = {
        path: max(1, len(path.parts) - len(base.parts)) if isinstance(path, Path) else 1 for path in sources.values()
    }
    names = unique_names(depths, depths)
    return {text: ImageFile(path, names[path], names[path]) for text, path in sources.items()}


def _read_index(path: Path) -> dict[str, tuple[ImageFile, str | None]]:
    """The files in ``FILE.images`` with their SHA-256, by the path in the table; empty if there is no readable one."""
    if not is_file(path):
        return {}
    found = {}
    try:
        with ImageList(path) as images:
            for files, table in images.groups([DIGEST]):
                for file, digest in zip(files, table[DIGEST].to_pylist(), strict=True):
                    found[escaped(str(file.path))] = (file, digest)
    except _UNREADABLE:
        return {}
    return found


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
