"""Tables of identified images on disk: Parquet, CSV or JSON lines, a row for each image."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ddrscope.errors import InputError, printable
from ddrscope.io.files import atomic_write, is_file
from ddrscope.io.parquet import write_parquet
from ddrscope.results.identification import IdentifiedImage
from ddrscope.results.vocabulary import ESTIMATES, QUESTIONS

# Rows are written and read so many at a time, so that memory does not grow with the table.
BATCH_ROWS = 8192
JSON_DECIMALS = 6
TEXTS = ("path", "type", "group", "interpolation", "file_format", "file_chroma_subsampling", "error")
FLAGS = ("unseen",)
COLUMNS = ("path", "type", "group", "probability", "level", "level_low", "level_high", "novelty", "unseen", "error")
# After the probabilities; all but the first are null where an identifier estimates nothing.
DETAILS = (
    "group_probability",
    *(f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high")),
    *QUESTIONS, "motion_angle", "interpolation", "file_format", "file_jpeg_quality", "file_chroma_subsampling",
)  # fmt: skip
PRESENCE = "p_"
# What the readers raise for files that are corrupt or of another kind.
_UNREADABLE = (OSError, ValueError, AttributeError, StopIteration, RecursionError, pa.ArrowException)


def schema_of(names: Sequence[str]) -> pa.Schema:
    """The columns of a table; ``names`` are clean and the types of the identifier."""
    columns = (*COLUMNS, *(f"{PRESENCE}{name}" for name in names), *DETAILS)
    kinds = {**dict.fromkeys(TEXTS, pa.large_string()), **dict.fromkeys(FLAGS, pa.bool_())}
    return pa.schema([(column, kinds.get(column, pa.float64())) for column in columns])


def to_table(images: Iterable[IdentifiedImage], names: Sequence[str]) -> pa.Table:
    """Identified images as a table with the columns of `schema_of`; NaN becomes null."""
    rows = [image.to_row() for image in images]
    schema = schema_of(names)
    arrays = [pa.array([row.get(field.name) for row in rows], field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def check_format(path: Path) -> None:
    """Raise `InputError` unless the name ends in a format that can be written."""
    if path.suffix not in FORMATS:
        raise InputError(
            f"`out`={path}: tables are written as {', '.join(FORMATS)}: give the file one of these endings"
        )


def write_tables(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables of one schema, one after the other, into one file; atomically.

    Raises:
        InputError: The name ends in none of `FORMATS`.
    """
    check_format(path)
    with atomic_write(path) as temporary:
        FORMATS[path.suffix].write(_regrouped(tables), temporary)


def read_names(path: Path) -> tuple[str, ...]:
    """Clean and the types that a file has columns for; raises `InputError` if it cannot be read as such a table."""
    check_format(path)
    if not is_file(path):
        raise InputError(f"{path}: no such file")
    try:
        columns = FORMATS[path.suffix].columns(path)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None
    names = tuple(column.removeprefix(PRESENCE) for column in columns if column.startswith(PRESENCE))
    if tuple(columns) != tuple(schema_of(names).names):
        raise InputError(f"{path} is not a table of identified images: its columns are others")
    return names


def read_tables(path: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a file, `BATCH_ROWS` or so at a time; raises `InputError` where one cannot be read."""
    try:
        yield from FORMATS[path.suffix].read(path, schema_of(names))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read as a table: {printable(str(error))[:200]}")


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least `BATCH_ROWS`, but for the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= BATCH_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
    write_parquet((table.replace_schema_metadata(_pandas_metadata(table.schema)) for table in tables), path)


def _pandas_metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    """What makes pandas read columns with missing values as such, and not as floats and objects."""
    import pandas as pd

    kinds = {pa.large_string(): "string", pa.bool_(): "boolean", pa.float64(): "Float64"}
    empty = pd.DataFrame({field.name: pd.Series(dtype=kinds[field.type]) for field in schema})
    return dict(pa.Schema.from_pandas(empty, preserve_index=False).metadata)


def _read_parquet(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(schema)


def _write_csv(tables: Iterable[pa.Table], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, table in enumerate(tables):
            if number == 0:
                writer.writerow(table.column_names)
            writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _read_csv(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    options = pyarrow.csv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, true_values=["True"], false_values=["False"]
    )
    with pyarrow.csv.open_csv(path, convert_options=options) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _csv_columns(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def _write_jsonl(tables: Iterable[pa.Table], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for table in tables:
            for row in table.to_pylist():
                short = {
                    key: round(value, JSON_DECIMALS) if isinstance(value, float) else value
                    for key, value in row.items()
                }
                file.write(json.dumps(short, separators=(",", ":")) + "\n")


def _read_jsonl(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with path.open(encoding="utf-8") as file:
        rows: list[dict[str, Any]] = []
        for line in file:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            rows.append(row)
            if len(rows) == BATCH_ROWS:
                yield pa.Table.from_pylist(rows, schema)
                rows = []
        if rows:
            yield pa.Table.from_pylist(rows, schema)


def _jsonl_columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return list(json.loads(next(file)).keys())


class _Format(NamedTuple):
    write: Callable[[Iterable[pa.Table], Path], None]
    read: Callable[[Path, pa.Schema], Iterator[pa.Table]]
    columns: Callable[[Path], list[str]]


FORMATS = {
    ".parquet": _Format(_write_parquet, _read_parquet, lambda path: list(pq.read_schema(path).names)),
    ".csv": _Format(_write_csv, _read_csv, _csv_columns),
    ".jsonl": _Format(_write_jsonl, _read_jsonl, _jsonl_columns),
}
