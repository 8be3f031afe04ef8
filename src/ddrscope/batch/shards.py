"""Shards of a table: Parquet bytes, named by their SHA-256."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# Images in a shard: what a dying run may have to do again. A thousand shards are enough to show progress by.
SMALLEST, LARGEST, ENOUGH = 16, 256, 1000


DIGITS = 16


# Every shard has this column: the SHA-256 of an image's file, null where there was nothing to read.
DIGEST = "sha256"


ERROR = "error"


# What is large is not kept a second time.
LEFT_OUT = "features"


def pack(table: pa.Table) -> bytes:
    """A shard as the bytes of its Parquet file; ``table`` has a row for each image, and the columns `DIGEST` and `ERROR`."""
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def _list_name(number: int) -> str:
    return f"images-{number:03d}.list"


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _digits_of(path: Path) -> str:
    return path.stem.split("-")[1]


def _is_whole(path: Path) -> bool:
    return _digits(path.read_bytes()) == _digits_of(path)


def write_parquet(pieces: Iterable[pa.Table], path: Path) -> None:
    """Tables of one schema, one after the other, as one Parquet file."""
    with ExitStack() as stack:
        writer = None
        for piece in pieces:
            writer = writer or stack.enter_context(pq.ParquetWriter(path, piece.schema))
            writer.write_table(piece)
