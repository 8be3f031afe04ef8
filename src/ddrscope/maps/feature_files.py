"""Files of pooled features, as `ddrscope features` writes them, read a few thousand rows at a time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ddrscope.errors import InputError, printable
from ddrscope.io.files import is_file, sha256
from ddrscope.maps.provenance import check_origins

NAME, FEATURES = "picture", "features"
# Colours and marks tell this many groups apart.
MAX_GROUPS = 64
# Flattened features are a hundred thousand numbers and more; products of all columns must fit in memory.
MAX_FEATURES = 8192
NO_LABEL = "(none)"


@dataclass(frozen=True)
class Rows:
    """Rows of a file: their images' names, groups 0..k-1 (n,), and float32 features (n, D)."""

    names: pa.Array
    codes: NDArray[np.int16]
    features: NDArray[np.float32]


class FeatureFiles:
    """Parquet files with the columns ``picture`` and ``features``; a group for each file, or for each value of the column ``label``.

    ``groups`` names them, ``counts`` (k,) says how many rows each has, ``size`` is the number of features, ``digests`` are the files'
    SHA-256 by name. ``notes`` say of which files it is not known that they go together. Raises `InputError` for files that are not of
    this form, differ in the number of features or, by their manifests, in what they are features of, and for more than `MAX_GROUPS`
    groups.
    """

    def __init__(self, files: Mapping[str, Path], label: str | None = None) -> None:
        self.files, self.label = dict(files), label
        sizes = {path: _size(path, label) for path in self.files.values()}
        path, self.size = next(iter(sizes.items()))
        for other, size in sizes.items():
            if size != self.size:
                raise InputError(
                    f"{other} has {size} features a row, {path} {self.size}: give files of one network, layer and view"
                )
        if self.size > MAX_FEATURES:
            raise InputError(
                f"{path} has {self.size} features a row, more than {MAX_FEATURES}: write it with --view pooled"
            )
        self.digests = {name: sha256(path) for name, path in self.files.items()}
        self.notes = check_origins(self.files, self.digests)
        found = self._labels() if label else {name: _open(path).metadata.num_rows for name, path in self.files.items()}
        if len(found) > MAX_GROUPS:
            raise InputError(
                f"{len(found)} groups are more than can be told apart ({MAX_GROUPS}): group by another column or fewer files"
            )
        self.groups = tuple(found)
        self.counts = np.array(list(found.values()), np.int64)
        self._code = {name: code for code, name in enumerate(self.groups)}

    def __len__(self) -> int:
        return int(self.counts.sum())

    def aligned(self) -> bool:
        """Whether the groups are files that hold the same two or more images in the same order."""
        if self.label or len(self.files) < 2 or len(set(self.counts.tolist())) > 1 or self.counts[0] < 2:
            return False
        return len({_digest(path) for path in self.files.values()}) == 1

    def rows(self, limit: int) -> Iterator[Rows]:
        """All rows, file by file in order, at most ``limit`` at a time; `InputError` for rows that are no features."""
        columns = [NAME, FEATURES, *([self.label] if self.label else [])]
        for name, path in self.files.items():
            start = 0
            for table in _tables(path, columns, limit):
                features = self._features(table, path, start)
                if self.label:
                    codes = np.array([self._code[_text(value)] for value in table[self.label].to_pylist()], np.int16)
                else:
                    codes = np.full(len(table), self._code[name], np.int16)
                yield Rows(table[NAME].cast(pa.string()).combine_chunks(), codes, features)
                start += len(table)

    def cells(self, limit: int) -> Iterator[NDArray[np.float32]]:
        """Of `aligned` files, float32 (P, k, D): images in their groups, at most ``limit`` images at a time."""
        streams = [_tables(path, [FEATURES], limit) for path in self.files.values()]
        start = 0
        for tables in zip(*streams, strict=True):
            parts = [
                self._features(table, path, start) for table, path in zip(tables, self.files.values(), strict=True)
            ]
            yield np.stack(parts, axis=1)
            start += len(parts[0])

    def _labels(self) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for path in self.files.values():
            for table in _tables(path, [str(self.label)], 1 << 16):
                counted.update(map(_text, table[self.label].to_pylist()))
                if len(counted) > MAX_GROUPS:
                    raise InputError(
                        f"column {self.label} has more than {MAX_GROUPS} values: group by a column with fewer"
                    )
        return dict(sorted(counted.items()))

    def _features(self, table: pa.Table, path: Path, start: int) -> NDArray[np.float32]:
        column = table[FEATURES].combine_chunks()
        lengths = pc.list_value_length(column)
        # Each row by itself: long and short ones could make up for each other.
        if (
            column.null_count
            or pc.any(pc.not_equal(lengths, self.size)).as_py()
            or (flat := column.flatten()).null_count
        ):
            raise InputError(
                f"{path} has rows without {self.size} features between rows {start} and {start + len(table)}: leave them out"
            )
        features = flat.to_numpy().reshape(len(table), self.size).astype(np.float32, copy=False)
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{path} has features that are NaN or infinite in row {start + int(finite.argmin())}: leave it out"
            )
        return features


def _open(path: Path) -> pq.ParquetFile:
    if not is_file(path):
        raise InputError(f"{path} is no file: give what ddrscope features wrote with --out FILE.parquet --view pooled")
    try:
        # Without a buffer of its own a whole column of a row group is read at once.
        return pq.ParquetFile(path, buffer_size=1 << 20)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet ({printable(str(error))[:200]}): give what ddrscope features wrote with --out FILE.parquet "
            "--view pooled"
        ) from None


def _size(path: Path, label: str | None) -> int:
    """The number of features of a row, after a look at the columns."""
    schema, rows = _open(path).schema_arrow, _open(path).metadata.num_rows
    for column in (NAME, FEATURES, *([label] if label else [])):
        if column not in schema.names:
            raise InputError(f"{path} has no column {column}, only {', '.join(map(printable, schema.names))[:300]}")
    kind = schema.field(FEATURES).type
    lists = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise InputError(f"{path}: column {FEATURES} holds {kind}, not lists of floating-point numbers")
    if not rows:
        raise InputError(f"{path} has no rows: leave it out")
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    first = next(_tables(path, [FEATURES], 1))[FEATURES][0].as_py()
    return len(first or ())


def _tables(path: Path, columns: list[str], limit: int) -> Iterator[pa.Table]:
    """Tables of exactly ``limit`` rows but for the last, so that files of other row groups fall into step."""
    kept: list[pa.RecordBatch] = []
    count = 0
    try:
        for batch in _open(path).iter_batches(batch_size=limit, columns=columns):
            while len(batch):
                part = batch[: limit - count]
                kept, count, batch = [*kept, part], count + len(part), batch[len(part) :]
                if count == limit:
                    yield pa.Table.from_batches(kept)
                    kept, count = [], 0
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is corrupt ({printable(str(error))[:200]}): write it anew") from None
    if kept:
        yield pa.Table.from_batches(kept)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for table in _tables(path, [NAME], 1 << 16):
        for name in table[NAME].to_pylist():
            digest.update(f"{name}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _text(value: object) -> str:
    return NO_LABEL if value is None else str(value)
