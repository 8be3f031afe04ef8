"""Parquet files of features, checked and read a few thousand rows at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ddrscope.errors import InputError, printable
from ddrscope.io.files import is_file

NAME, FEATURES = "picture", "features"
_REMEDY = "give a file that ddrscope features wrote with --out FILE.parquet --view pooled"
_BUFFER_BYTES, _NAMES_AT_ONCE = 1 << 20, 1 << 16


def open_features(path: Path) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises:
        InputError: There is no such file, or it is not Parquet.
    """
    if not is_file(path):
        raise InputError(f"{path} is not a file: {_REMEDY}")
    try:
        # Without a buffer a whole column of a row group is read at once.
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({printable(str(error))[:200]}): {_REMEDY}") from None


def feature_count(path: Path, label: str | None = None) -> int:
    """The number of features of the first row.

    Args:
        path: The file.
        label: Another column that must exist.

    Raises:
        InputError: A column is missing or of another type, or the file has no rows.
    """
    file = open_features(path)
    schema = file.schema_arrow
    for column in (NAME, FEATURES, *([label] if label else [])):
        if column not in schema.names:
            raise InputError(f"{path} has no column {column}, only {', '.join(map(printable, schema.names))[:300]}")
    kind = schema.field(FEATURES).type
    lists = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise InputError(f"{path}: column {FEATURES} holds {kind}, not lists of floating-point numbers")
    if not file.metadata.num_rows:
        raise InputError(f"{path} has no rows: leave it out")
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    first = next(read_tables(path, [FEATURES], 1))[FEATURES][0].as_py()
    return len(first or ())


def read_tables(path: Path, columns: list[str], limit: int) -> Iterator[pa.Table]:
    """Read a file in tables of exactly ``limit`` rows, the last one excepted, whatever its row groups are.

    Raises:
        InputError: The file is corrupt.
    """
    batches: list[pa.RecordBatch] = []
    count = 0
    try:
        for batch in open_features(path).iter_batches(batch_size=limit, columns=columns):
            while len(batch):
                part = batch[: limit - count]
                batches, count, batch = [*batches, part], count + len(part), batch[len(part) :]
                if count == limit:
                    yield pa.Table.from_batches(batches)
                    batches, count = [], 0
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is corrupt ({printable(str(error))[:200]}): write it again") from None
    if batches:
        yield pa.Table.from_batches(batches)


def to_matrix(table: pa.Table, size: int, path: Path, start: int) -> NDArray[np.float32]:
    """The features of a table as a matrix (n, size).

    Args:
        table: Rows of the file.
        size: Number of features of each row.
        path: The file, for messages.
        start: Number of the first row in the file, for messages.

    Raises:
        InputError: A row has another number of features, or features that are NaN or infinite.
    """
    column = table[FEATURES].combine_chunks()
    # Each row is checked, since long and short rows could add up to the right total.
    wrong_length = pc.any(pc.not_equal(pc.list_value_length(column), size)).as_py()
    if column.null_count or wrong_length or (values := column.flatten()).null_count:
        raise InputError(
            f"{path} has rows without {size} features between rows {start} and {start + len(table)}: leave them out"
        )
    features = values.to_numpy().reshape(len(table), size).astype(np.float32, copy=False)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        row = start + int(finite.argmin())
        raise InputError(f"{path} has features that are NaN or infinite in row {row}: leave it out")
    return features


def names_digest(path: Path) -> str:
    """A digest of the names of the images of a file, in order."""
    digest = hashlib.sha256()
    for table in read_tables(path, [NAME], _NAMES_AT_ONCE):
        for name in table[NAME].to_pylist():
            digest.update(f"{name}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
