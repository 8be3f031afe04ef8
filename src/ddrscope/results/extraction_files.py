"""Features on disk: .npy with the names of the images beside it, or .parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ddrscope.errors import InputError, RunConflictError
from ddrscope.io.files import atomic_write
from ddrscope.io.parquet import write_parquet

FORMATS = (".npy", ".parquet")
# Rows of flattened features are megabytes each.
BATCH_ROWS = 32
# Columns: the name of an image (a word of the file format), its features, and why it has none.
NAME, FEATURES, ERROR = "picture", "features", "error"
ROW_TYPE = pa.large_list(pa.float32())
# Gives some columns of all rows, one table after the other.
Tables = Callable[[Sequence[str]], Iterable[pa.Table]]


def companion_paths(out: Path) -> tuple[Path, ...]:
    """The file of names beside FILE.npy; none beside FILE.parquet."""
    return (out.with_suffix(".txt"),) if out.suffix == ".npy" else ()


def check_out(out: Path) -> None:
    """Check that features can be written to a file.

    Raises:
        InputError: It ends in no format that can be written.
        RunConflictError: The names beside FILE.npy would replace a file of another origin.
    """
    if out.suffix not in FORMATS:
        raise InputError(
            f"`out`={out}: features are written as {' or '.join(FORMATS)}: give the file one of these endings"
        )
    for names in companion_paths(out):
        # Names are written after the features, so a file of names alone is of another origin.
        if names.exists() and not out.exists():
            raise RunConflictError(
                f"`out`={out}: the images' names go to {names}, which exists already: choose another name"
            )


def write_features(tables: Tables, out: Path) -> int:
    """Write features, and beside FILE.npy the names of the images; returns the number of rows.

    Args:
        tables: Gives the columns ``picture``, ``features`` and ``error`` of the images.
        out: FILE.npy or FILE.parquet.
    """
    if out.suffix == ".parquet":
        with atomic_write(out) as temporary:
            write_parquet(map(_fixed_length, _complete_rows(tables, [NAME, FEATURES])), temporary)
        return count_rows(out)
    names = [name for table in _complete_rows(tables, [NAME]) for name in table[NAME].to_pylist()]
    _write_npy(tables, out, len(names))
    (companion,) = companion_paths(out)
    with atomic_write(companion) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return len(names)


def read_names(out: Path) -> list[str]:
    """The names of the images, in the order of the rows."""
    if out.suffix == ".parquet":
        return [str(name) for name in pq.read_table(out, columns=[NAME])[NAME].to_pylist()]
    (companion,) = companion_paths(out)
    return companion.read_text(encoding="utf-8").split("\n")[:-1]


def read_features(out: Path) -> NDArray[np.float32]:
    """The features (N, D); those of FILE.npy are mapped and not read into memory."""
    if out.suffix == ".npy":
        return np.asanyarray(np.load(out, mmap_mode="r", allow_pickle=False))
    return np.concatenate([_matrix(table) for table in _batches(out)])


def count_rows(out: Path) -> int:
    """The number of rows."""
    if out.suffix == ".npy":
        return len(np.load(out, mmap_mode="r", allow_pickle=False))
    return int(pq.read_metadata(out).num_rows)


def restore_features(out: Path, rows: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows (path, picture, error, sha256) with the features that FILE holds of those without an error."""
    written = _written_rows(out)
    for table in rows:
        values = [next(written) if error is None else None for error in table[ERROR].to_pylist()]
        yield table.append_column(FEATURES, pa.array(values, ROW_TYPE))


def _written_rows(out: Path) -> Iterator[Any]:
    if out.suffix == ".npy":
        yield from np.load(out, mmap_mode="r", allow_pickle=False)
        return
    for table in _batches(out):
        yield from _matrix(table)


def _batches(out: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(out) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=[FEATURES]):
            yield pa.Table.from_batches([batch])


def _complete_rows(tables: Tables, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of images with features, no table empty."""
    for table in tables([*columns, ERROR]):
        rows = table.filter(table[ERROR].is_null())
        if len(rows):
            yield rows.select(list(columns))


def _matrix(table: pa.Table) -> NDArray[np.float32]:
    values = table[FEATURES].combine_chunks().flatten().to_numpy()
    return np.asarray(values.reshape(len(table), -1))


def _fixed_length(table: pa.Table) -> pa.Table:
    matrix = _matrix(table)
    features = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    return pa.table({NAME: table[NAME], FEATURES: features})


def _write_npy(tables: Tables, out: Path, count: int) -> None:
    with atomic_write(out) as temporary:
        mapped, start = None, 0
        for table in _complete_rows(tables, [FEATURES]):
            rows = _matrix(table)
            if mapped is None:
                shape = (count, rows.shape[1])
                mapped = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            mapped[start : start + len(rows)] = rows
            start += len(rows)
        if mapped is not None:
            mapped.flush()
