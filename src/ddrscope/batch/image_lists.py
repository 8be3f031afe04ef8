"""Lists of images on disk, in groups that can be read alone, and tables of theirs merged by name."""

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
# Images and what is known of them, a row each.
Group = tuple[list[ImageFile], pa.Table]


def write_list(path: Path, groups: Iterable[pa.Table]) -> None:
    """Write tables that begin with the columns of `SCHEMA`, as `table_of` makes them; each can be read alone."""
    with atomic_write(path) as temporary:
        writer: Any = None
        try:
            for table in groups:
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table, row_group_size=max(1, len(table)))
        finally:
            if writer:
                writer.close()


def table_of(files: Sequence[ImageFile], known: pa.Table | None = None) -> pa.Table:
    """A row for each image, with the columns of ``known`` behind."""
    # As bytes: a name on disk need not be text of any encoding.
    rows = [
        {"source": os.fsencode(file.path), "local": isinstance(file.path, Path), "name": file.name, "photo": file.photo}
        for file in files
    ]
    table = pa.Table.from_pylist(rows, SCHEMA)
    if known is not None:
        for field in known.schema:
            table = table.append_column(field, known[field.name])
    return table


class ImageList:
    """A list that `write_list` wrote, group by group; a context manager."""

    def __init__(self, path: Path) -> None:
        self._file: Any = pq.ParquetFile(path)

    def __enter__(self) -> ImageList:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """How many groups there are."""
        return int(self._file.num_row_groups)

    def sizes(self) -> list[int]:
        """How many images each group has."""
        return [self._file.metadata.row_group(number).num_rows for number in range(len(self))]

    def files(self, number: int) -> list[ImageFile]:
        """The images of a group, from 0 on."""
        rows = self._file.read_row_group(number, columns=SCHEMA.names).to_pylist()
        return [ImageFile(_path(row), row["name"], row["photo"]) for row in rows]

    def known(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """What is known of the images of a group: all, or some of the columns behind those of `SCHEMA`."""
        names = [name for name in self._file.schema_arrow.names if name not in SCHEMA.names]
        return self._file.read_row_group(number, columns=list(columns or names))

    def groups(self, columns: Sequence[str] | None = None) -> Iterator[Group]:
        """Every group, and what is known of it."""
        for number in range(len(self)):
            yield self.files(number), self.known(number, columns)


def merge_by_name(streams: Sequence[Iterator[Group]], limit: int) -> Iterator[Group]:
    """Groups in the order of the images' names, of ``limit`` rows, from streams that are each in that order."""
    rows = heapq.merge(*map(_rows, streams), key=itemgetter(0))
    files: list[ImageFile] = []
    pieces: list[list[Any]] = []
    for _, file, table, index in rows:
        if pieces and pieces[-1][0] is table and pieces[-1][2] == index:
            pieces[-1][2] += 1
        else:
            pieces.append([table, index, index + 1])
        files.append(file)
        if len(files) == limit:
            yield files, _joined(pieces)
            files, pieces = [], []
    if files:
        yield files, _joined(pieces)


def _rows(stream: Iterator[Group]) -> Iterator[tuple[str, ImageFile, pa.Table, int]]:
    for files, table in stream:
        for index, file in enumerate(files):
            yield file.name, file, table, index


def _joined(pieces: list[list[Any]]) -> pa.Table:
    return pa.concat_tables([table.slice(start, stop - start) for table, start, stop in pieces])


def _path(row: dict[str, Any]) -> Path | str:
    text = os.fsdecode(row["source"])
    return Path(text) if row["local"] else text
