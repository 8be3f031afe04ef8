"""Files of features: .npy with a list of names, or .parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.batch.shards import write_parquet
from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write

# Rows of flattened features are megabytes each.
SHARD_IMAGES = 32


FORMATS = (".npy", ".parquet")


def join_features(shards: ShardedFile, out: Path) -> tuple[int, dict[str, str]]:
    """Write all shards into ``out`` (.npy with the names in a .txt beside it, or .parquet).

    Returns the number of rows, and the images left out with their reasons. Raises `InputError` where no image can be read.
    """
    names: list[str] = []
    skipped: dict[str, str] = {}
    for table in shards.tables(["path", "picture", "error"]):
        for row in table.to_pylist():
            if row["error"] is None:
                names.append(row["picture"])
            else:
                skipped[row["path"]] = row["error"]
    if not names:
        raise InputError("no image can be read: nothing is written")
    if out.suffix == ".npy":
        _write_npy(out, shards, len(names))
        (target,) = names_of(out)
        with atomic_write(target) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    else:
        with atomic_write(out) as temporary:
            write_parquet((_named(rows) for rows in _rows(shards)), temporary)
    return len(names), skipped


def names_of(out: Path) -> tuple[Path, ...]:
    """The file of names that lies beside FILE.npy; none beside FILE.parquet."""
    return (out.with_suffix(".txt"),) if out.suffix == ".npy" else ()


def restore_features(out: Path, known: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Shards again: rows (path, image, error, sha256) with the features that ``out`` holds of those without an error."""
    rows = _written_rows(out)
    for table in known:
        values = [next(rows) if error is None else None for error in table["error"].to_pylist()]
        yield table.append_column("features", pa.array(values, pa.large_list(pa.float32())))


def _written_rows(out: Path) -> Iterator[np.ndarray]:
    if out.suffix == ".npy":
        yield from np.load(out, mmap_mode="r", allow_pickle=False)
        return
    with pq.ParquetFile(out) as file:
        for batch in file.iter_batches(SHARD_IMAGES, columns=["features"]):
            column = batch.column(0)
            yield from column.flatten().to_numpy().reshape(len(column), -1)


def check_out(out: Path) -> None:
    """Raise `InputError` unless ``out`` ends in a format that can be written, and the names beside it replace no stranger's file."""
    if out.suffix not in FORMATS:
        raise InputError(
            f"--out {out}: features are written as {' or '.join(FORMATS)}: give the file one of these endings"
        )
    names = out.with_suffix(".txt")
    # Names are written after the features, so names alone are somebody else's.
    if out.suffix == ".npy" and names.exists() and not out.exists():
        raise InputError(f"--out {out}: the images' names go to {names}, which exists already: choose another name")


def _rows(shards: ShardedFile) -> Iterator[pa.Table]:
    """The images with features, shard by shard, none empty."""
    for table in shards.tables(["picture", "features"]):
        rows = table.filter(table["features"].is_valid())
        if len(rows):
            yield rows


def _matrix(rows: pa.Table) -> np.ndarray:
    return rows["features"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)


def _named(rows: pa.Table) -> pa.Table:
    block = _matrix(rows)
    features = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), block.shape[1])
    return pa.table({"picture": rows["picture"], "features": features})


def _write_npy(out: Path, shards: ShardedFile, count: int) -> None:
    with atomic_write(out) as temporary:
        matrix, start = None, 0
        for rows in _rows(shards):
            block = _matrix(rows)
            if matrix is None:
                matrix = np.lib.format.open_memmap(
                    temporary, mode="w+", dtype=np.float32, shape=(count, block.shape[1])
                )
            matrix[start : start + len(block)] = block
            start += len(block)
        if matrix is not None:
            matrix.flush()
