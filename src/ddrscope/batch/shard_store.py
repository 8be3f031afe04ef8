"""The finished shards of a run: Parquet files in a folder, named by number and SHA-256."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write

# Hexadecimal digits of the SHA-256 in the name of a shard.
DIGITS = 16
# Decimal digits of its number there.
NUMERALS = 6
# Columns of every shard: the SHA-256 of the image's file, null where there was nothing to read; and why the image has
# no result, null where it has one.
DIGEST = "sha256"
ERROR = "error"


def pack(table: pa.Table) -> bytes:
    """A shard as the bytes of a Parquet file; ``table`` has a row for each image and the columns `DIGEST` and `ERROR`."""
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


class ShardStore:
    """The shards in a folder, by number.

    The folder is listed once, so that keeping a shard costs the same however many there are. A shard whose content does
    not match the hash in its name counts as missing.

    Args:
        folder: The folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = {
            int(path.name[:NUMERALS]): path for path in sorted(folder.glob("[0-9]" * NUMERALS + "-*.parquet"))
        }

    def is_intact(self, number: int) -> bool:
        """Whether a shard is on disk and is what was written."""
        path = self._paths.get(number)
        return path is not None and _digits(path.read_bytes()) == _recorded_digits(path)

    def write(self, number: int, content: bytes) -> None:
        """Put a shard, as `pack` gives it, on disk in place of an earlier one of its number."""
        if old := self._paths.pop(number, None):
            old.unlink()
        path = self.folder / f"{number:0{NUMERALS}d}-{_digits(content)}.parquet"
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
        self._paths[number] = path

    def read(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The table of a shard, or some of its columns; raises `InputError` if it is missing or corrupt."""
        path = self._paths.get(number)
        content = path.read_bytes() if path else b""
        if path is None or _digits(content) != _recorded_digits(path):
            raise InputError(
                f"shard {number} in {self.folder} is missing or corrupt: the same call with `resume`=True makes it again"
            )
        return pq.read_table(io.BytesIO(content), columns=list(columns) if columns is not None else None)

    def columns(self) -> list[str]:
        """The names of the columns, which all shards share."""
        return list(pq.read_schema(next(iter(self._paths.values()))).names)


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _recorded_digits(path: Path) -> str:
    return path.stem.split("-")[1]
