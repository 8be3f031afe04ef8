"""Lists of images on disk, in groups that can be read alone, and their rows merged in the order of the names."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.images.files import ImageFile
from ddrscope.io.files import atomic_write

SCHEMA = pa.schema([("source", pa.binary()), ("local", pa.bool_()), ("name", pa.string()), ("photo", pa.string())])
# Image files, and a table with a row for each.
Group = tuple[list[ImageFile], pa.Table]


def write_list(path: Path, groups: Iterable[pa.Table]) -> None:
    """Write tables, as `image_table` makes them, as the groups of one list."""
    with atomic_write(path) as temporary:
        writer: Any = None
        try:
            for table in groups:
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table, row_group_size=max(1, len(table)))
        finally:
            if writer:
                writer.close()


def image_table(files: Sequence[ImageFile], rows: pa.Table | None = None) -> pa.Table:
    """A table with a row for each image file: the columns of `SCHEMA`, then those of ``rows``."""
    # Paths as bytes, since a file name need not be text of any encoding.
    images = [
        {"source": os.fsencode(file.path), "local": isinstance(file.path, Path), "name": file.name, "photo": file.photo}
        for file in files
    ]
    table = pa.Table.from_pylist(images, SCHEMA)
    if rows is not None:
        for field in rows.schema:
            table = table.append_column(field, rows[field.name])
    return table


class ImageList:
    """A list that `write_list` wrote, read group by group; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file: Any = pq.ParquetFile(path)

    def __enter__(self) -> ImageList:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """The number of groups."""
        return int(self._file.num_row_groups)

    def sizes(self) -> list[int]:
        """The number of images in each group."""
        return [self._file.metadata.row_group(number).num_rows for number in range(len(self))]

    def files(self, number: int) -> list[ImageFile]:
        """The image files of a group, counted from 0."""
        rows = self._file.read_row_group(number, columns=SCHEMA.names).to_pylist()
        return [ImageFile(_path(row), row["name"], row["photo"]) for row in rows]

    def rows(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The other columns of a group, all or some."""
        names = [name for name in self._file.schema_arrow.names if name not in SCHEMA.names]
        return self._file.read_row_group(number, columns=list(columns or names))

    def groups(self, columns: Sequence[str] | None = None) -> Iterator[Group]:
        """The image files and the other columns of every group."""
        for number in range(len(self)):
            yield self.files(number), self.rows(number, columns)


def merge_by_name(streams: Sequence[Iterator[Group]], limit: int) -> Iterator[Group]:
    """Merge streams of groups that are each in the order of the images' names.

    Args:
        streams: What to merge.
        limit: The number of rows in each group of the result; the last has fewer.

    Yields:
        Groups in the order of the names.
    """
    merged = heapq.merge(*map(_numbered_rows, streams), key=itemgetter(0))
    files: list[ImageFile] = []
    # Runs of rows that follow each other in one table: [table, start, stop].
    slices: list[list[Any]] = []
    for _, file, table, index in merged:
        if slices and slices[-1][0] is table and slices[-1][2] == index:
            slices[-1][2] += 1
        else:
            slices.append([table, index, index + 1])
        files.append(file)
        if len(files) == limit:
            yield files, _concatenated(slices)
            files, slices = [], []
    if files:
        yield files, _concatenated(slices)


def _numbered_rows(stream: Iterator[Group]) -> Iterator[tuple[str, ImageFile, pa.Table, int]]:
    for files, table in stream:
        for index, file in enumerate(files):
            yield file.name, file, table, index


def _concatenated(slices: list[list[Any]]) -> pa.Table:
    return pa.concat_tables([table.slice(start, stop - start) for table, start, stop in slices])


def _path(row: dict[str, Any]) -> Path | str:
    text = os.fsdecode(row["source"])
    return Path(text) if row["local"] else text
