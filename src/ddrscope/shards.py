"""One file made of many pictures, shard by shard: a run that dies at any moment loses the shards under way, and repeats no other.

Until FILE is written, ``FILE.parts/parts/`` holds the list of the pictures and a Parquet file for each finished shard, whose name holds
the SHA-256 of its bytes: a damaged one is known as such and made anew. ``FILE.manifest.json`` stays beside FILE: settings, versions, and
the hashes of FILE and of all pictures that went into it. Memory does not grow with the number of pictures.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from glob import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.errors import InputError
from ddrscope.images import PictureFile, find_pictures
from ddrscope.store import RunFolder, atomic_write, clear_after_the_dead, manifest, read_json, sha256, write_json

# Pictures in a shard: what a dying run may have to do again. A thousand shards are enough to show progress by.
SMALLEST, LARGEST, ENOUGH = 16, 256, 1000
DIGITS = 16
LIST = "pictures.list"
# Every shard has this column: the SHA-256 of a picture's file, null where there was nothing to read.
DIGEST = "sha256"


def pack(table: pa.Table) -> bytes:
    """A shard as the bytes of its Parquet file; ``table`` has a row for each picture, and a column `DIGEST`."""
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def parts_of(out: Path) -> Path:
    """The folder in which a file is made."""
    return out.with_name(f"{out.name}.parts")


class ShardedFile:
    """FILE in the making: which pictures are still to do, the shards that are done, and what is left on disk at the end.

    A context manager. ``settings`` decides whether an interrupted run is the same; a resumed one keeps the list of pictures that it
    began with, though files have come or gone. ``largest`` bounds the pictures in a shard, for rows that are large. Raises `InputError`
    where FILE exists and neither ``resume`` nor ``overwrite`` is given, where ``sources`` hold no picture, and as `RunFolder` does.
    """

    def __init__(
        self,
        out: Path,
        sources: Sequence[str | Path],
        settings: Mapping[str, Any],
        resume: bool = False,
        overwrite: bool = False,
        largest: int = LARGEST,
    ) -> None:
        self.out, self.sources, self.largest = out, sources, largest
        self.resume, self.overwrite = resume, overwrite
        self.manifest = out.with_name(f"{out.name}.manifest.json")
        self._settings = dict(settings) | {"sources": [str(source) for source in sources]}
        self._run = RunFolder(parts_of(out), self._settings, resume, overwrite)
        self._folder = self._run.parts

    def is_finished(self) -> bool:
        """Whether FILE is there and is what was written; `InputError` where it may be neither kept nor replaced."""
        if self.out.is_dir():
            # Said now: it would fail when all is done and the file is put in its place.
            raise InputError(f"{self.out} is a folder: give the name of a file")
        if not self.out.exists() or self.overwrite:
            return False
        if self.resume and self._run.path.exists():
            # It died between writing FILE and deleting the parts.
            return False
        if not self.resume:
            raise InputError(f"{self.out} exists: give --overwrite to replace it, --resume to keep it, or another --out")
        try:
            written = read_json(self.manifest)["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{self.out} has no readable {self.manifest.name}, so it cannot be verified: give --overwrite") from None
        if written != sha256(self.out):
            raise InputError(f"{self.out} is not what was written (its SHA-256 is another): give --overwrite to make it anew")
        return True

    def __enter__(self) -> ShardedFile:
        with ExitStack() as stack:
            stack.enter_context(self._run)
            for written in (self.out, self.manifest):
                clear_after_the_dead(written.parent, escape(written.name))
            if not (self._folder / LIST).exists():
                _write_list(self._folder / LIST, find_pictures(self.sources), self.largest)
            self._list = stack.enter_context(pq.ParquetFile(self._folder / LIST))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    @property
    def pictures(self) -> int:
        """How many there are."""
        return self._list.metadata.num_rows

    def __len__(self) -> int:
        """How many shards there are."""
        return self._list.num_row_groups

    def sizes(self) -> list[int]:
        """How many pictures each shard has."""
        return [self._list.metadata.row_group(number).num_rows for number in range(len(self))]

    def shard(self, number: int) -> list[PictureFile]:
        """The pictures of a shard, from 0 on."""
        rows = self._list.read_row_group(number).to_pylist()
        return [PictureFile(_path(row), row["name"], row["photo"]) for row in rows]

    def missing(self) -> list[int]:
        """The shards that are to be made, those that were damaged among them."""
        kept = {number: path for number, path in self._kept().items() if _is_whole(path)}
        return [number for number in range(len(self)) if number not in kept]

    def keep(self, number: int, content: bytes) -> None:
        """Put a finished shard, as `pack` gives it, on disk."""
        for old in self._folder.glob(f"{number:06d}-*"):
            old.unlink()
        with atomic_write(self._folder / f"{number:06d}-{_digits(content)}.parquet") as temporary:
            temporary.write_bytes(content)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The shards in order, each read back and verified; `InputError` for one that is damaged or missing."""
        kept = self._kept()
        for number in range(len(self)):
            content = kept[number].read_bytes() if number in kept else b""
            if not content or _digits(content) != _digits_of(kept[number]):
                raise InputError(f"shard {number} of {self.out} was damaged on disk: the same command with --resume makes it anew")
            yield pq.read_table(io.BytesIO(content), columns=columns)

    def finish(self) -> str:
        """Write the manifest of FILE, which is written now, delete the parts, and return FILE's SHA-256."""
        combined = hashlib.sha256()
        for table in self.tables([DIGEST]):
            for value in table[DIGEST].to_pylist():
                combined.update((value or "").encode() + b"\n")
        written = sha256(self.out)
        hashes = {"sha256": written, "pictures": self.pictures, "pictures_sha256": combined.hexdigest()}
        write_json(self.manifest, manifest(self._settings) | hashes)
        self._run.discard()
        return written

    def _kept(self) -> dict[int, Path]:
        return {int(path.name.split("-")[0]): path for path in sorted(self._folder.glob("*-*.parquet"))}


def _write_list(path: Path, files: Sequence[PictureFile], largest: int) -> None:
    """A row group for each shard, so that one can be read alone."""
    size = min(largest, LARGEST, max(SMALLEST, len(files) // ENOUGH))
    schema = pa.schema([("path", pa.binary()), ("local", pa.bool_()), ("name", pa.string()), ("photo", pa.string())])
    with atomic_write(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for start in range(0, len(files), size):
            writer.write_table(pa.Table.from_pylist([_row(file) for file in files[start : start + size]], schema))


def _row(file: PictureFile) -> dict[str, Any]:
    # As bytes: a name on disk need not be text of any encoding.
    return {"path": os.fsencode(file.path), "local": isinstance(file.path, Path), "name": file.name, "photo": file.photo}


def _path(row: dict[str, Any]) -> Path | str:
    text = os.fsdecode(row["path"])
    return Path(text) if row["local"] else text


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
