"""One file made of many images, shard by shard: a run that dies at any moment loses the shards under way, and repeats no other.

Until FILE is written, ``FILE.parts/parts/`` holds the lists of the images and a Parquet file for each finished shard, whose name holds
the SHA-256 of its bytes: a corrupt one is known as such and made anew. ``FILE.manifest.json`` stays beside FILE: settings, versions, and
the hashes of FILE and of all images that went into it; ``FILE.images`` says of each image what it was, so that a later run can do those
that came since. Memory does not grow with the number of images.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.batch.finished_file import check_finished, manifest_of, parts_of
from ddrscope.batch.image_lists import Group, ImageList, merge_by_name, table_of, write_list
from ddrscope.batch.inputs import check_unchanged, find_inputs, new_images
from ddrscope.batch.shards import (
    DIGEST,
    ENOUGH,
    ERROR,
    LARGEST,
    LEFT_OUT,
    SMALLEST,
    _digits,
    _digits_of,
    _is_whole,
    _list_name,
    pack,
)
from ddrscope.errors import InputError
from ddrscope.images import ImageFile
from ddrscope.io.files import atomic_write, remove_stale_temp_files, sha256, write_json
from ddrscope.io.manifest import manifest
from ddrscope.io.run_directory import RunDirectory
from ddrscope.progress import NullProgress, Progress

# Gives rows of FILE.images what they lack of a shard's columns.
Restore = Callable[[Iterable[pa.Table]], Iterator[pa.Table]]


class ShardedFile:
    """FILE in the making: which images are still to do, the shards that are done, and what is left on disk at the end.

    A context manager. ``settings`` decides whether an earlier run is the same. A resumed one does what is missing, and the images that
    came since; one of other settings, of images that are gone or have changed, raises `InputError`.

    ``largest`` bounds the images in a shard, for rows that are large. ``restore`` makes shards of FILE again, ``beside`` are other files
    that belong to FILE. ``drawn`` gives the file that is made of an image besides its row, in one of the folders ``results``, which are no
    sources. Raises `InputError` where FILE exists and neither ``resume`` nor ``overwrite`` is given, where ``sources`` hold no image, and
    as `RunDirectory` does.
    """

    def __init__(
        self,
        out: Path,
        sources: Sequence[str | Path],
        settings: Mapping[str, Any],
        resume: bool = False,
        overwrite: bool = False,
        largest: int = LARGEST,
        restore: Restore = iter,
        beside: Sequence[Path] = (),
        drawn: Callable[[ImageFile], Path] | None = None,
        results: Sequence[Path] = (),
        progress: Progress | None = None,
    ) -> None:
        self.out, self.sources, self.largest = out, sources, largest
        self.resume, self.overwrite = resume, overwrite
        self.restore, self.beside, self.drawn, self.progress = restore, tuple(beside), drawn, progress or NullProgress()
        self.results = (out, *results)
        self.manifest, self.index = manifest_of(out), out.with_name(f"{out.name}.images")
        self._settings, self._sources = dict(settings), [str(source) for source in sources]
        self._run = RunDirectory(parts_of(out), self._settings, resume, overwrite)
        self._folder = self._run.parts
        self._lists: list[ImageList] = []

    def is_finished(self) -> bool:
        """Whether FILE is there, is what was written, and lacks no image; `InputError` where it may be neither kept nor replaced."""
        if self.out.is_dir():
            # Said now: it would fail when all is done and the file is put in its place.
            raise InputError(f"{self.out} is a folder: give the name of a file")
        if not self.out.exists() or self.overwrite:
            return False
        if self.resume and self._run.path.exists():
            # It died between writing FILE and deleting the parts.
            return False
        if not self.resume:
            raise InputError(
                f"{self.out} exists: give --overwrite to replace it, --resume to keep it, or another --out"
            )
        check_finished(self.out, self._settings, (self.index, *self.beside))
        with ImageList(self.index) as index:
            groups = list(index.groups([DIGEST, ERROR]))
        known = [pair for files, table in groups for pair in zip(files, table.to_pylist(), strict=True)]
        files = [file for file, _ in known]
        new = new_images(files, self._find(), str(self.out))
        self.progress.start("checking that images are the same", len(files))
        check_unchanged(files, [row[DIGEST] for _, row in known], str(self.out), self.progress.advance)
        return not new and (
            self.drawn is None or all(row[ERROR] is not None or self.drawn(file).exists() for file, row in known)
        )

    def __enter__(self) -> ShardedFile:
        # A run that ended is taken apart into its shards, which new images then join.
        ended = self.resume and not self.overwrite and self.out.exists() and not self._run.path.exists()
        with ExitStack() as stack:
            stack.enter_context(self._run)
            remove_stale_temp_files((self.out, self.manifest, self.index, *self.beside))
            if ended:
                self._take_apart()
            self._lists = [stack.enter_context(ImageList(path)) for path in sorted(self._folder.glob("*.list"))]
            known = [file for one in self._lists for number in range(len(one)) for file in one.files(number)]
            new = new_images(known, self._find(), str(self._run.path))
            if known and not ended:
                self._check_unchanged()
            if new:
                stack.enter_context(self._add(new))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(self.sizes())

    def __len__(self) -> int:
        """How many shards there are."""
        return sum(map(len, self._lists))

    def sizes(self) -> list[int]:
        """How many images each shard has."""
        return [size for one in self._lists for size in one.sizes()]

    def shard(self, number: int) -> list[ImageFile]:
        """The images of a shard, from 0 on."""
        for one in self._lists:
            if number < len(one):
                return one.files(number)
            number -= len(one)
        raise IndexError(number)

    def missing(self) -> list[int]:
        """The shards that are to be made, those that were corrupt among them."""
        kept = {number for number, path in self._kept().items() if _is_whole(path) and self._is_drawn(number, path)}
        return [number for number in range(len(self)) if number not in kept]

    def keep(self, number: int, content: bytes) -> None:
        """Put a finished shard, as `pack` gives it, on disk."""
        for old in self._folder.glob(f"{number:06d}-*"):
            old.unlink()
        with atomic_write(self._folder / f"{number:06d}-{_digits(content)}.parquet") as temporary:
            temporary.write_bytes(content)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows in the order of the images' names, a shard or so at a time; `InputError` for a shard that is corrupt or missing."""
        return (table for _, table in self._groups(columns))

    def finish(self) -> str:
        """Write what stays beside FILE, which is written now, delete the parts, and return FILE's SHA-256."""
        combined = hashlib.sha256()
        columns = [name for name in pq.read_schema(next(iter(self._kept().values()))).names if name != LEFT_OUT]

        def listed() -> Iterator[pa.Table]:
            for files, table in self._groups(columns):
                for value in table[DIGEST].to_pylist():
                    combined.update((value or "").encode() + b"\n")
                yield table_of(files, table)

        write_list(self.index, listed())
        written = sha256(self.out)
        hashes = {"sha256": written, "images": self.images, "images_sha256": combined.hexdigest()}
        beside = {path.name: sha256(path) for path in (self.index, *self.beside)}
        write_json(self.manifest, manifest(self._settings | {"sources": self._sources}) | hashes | {"beside": beside})
        self._run.discard()
        return written

    def _find(self) -> list[ImageFile]:
        return find_inputs(self.sources, self.results)

    def _check_unchanged(self) -> None:
        """Raise `InputError` where an image of a finished shard is not what it was."""
        kept = [(number, path) for number, path in self._kept().items() if _is_whole(path)]
        self.progress.start("checking that images are the same", sum(self.sizes()[number] for number, _ in kept))
        for number, path in kept:
            before = pq.read_table(path, columns=[DIGEST])[DIGEST].to_pylist()
            check_unchanged(self.shard(number), before, str(self._run.path), self.progress.advance)

    def _take_apart(self) -> None:
        with ImageList(self.index) as index:
            write_list(self._folder / _list_name(0), (table_of(index.files(number)) for number in range(len(index))))
            for number, table in enumerate(self.restore(table for _, table in index.groups())):
                self.keep(number, pack(table))

    def _add(self, files: Sequence[ImageFile]) -> ImageList:
        """Images that are in no list yet, in one more."""
        size = min(self.largest, LARGEST, max(SMALLEST, len(files) // ENOUGH))
        path = self._folder / _list_name(len(self._lists))
        write_list(path, (table_of(files[start : start + size]) for start in range(0, len(files), size)))
        self._lists.append(ImageList(path))
        return self._lists[-1]

    def _groups(self, columns: Sequence[str] | None) -> Iterator[Group]:
        kept, streams, first = self._kept(), [], 0
        for one in self._lists:
            streams.append(self._stream(one, first, kept, columns))
            first += len(one)
        return streams[0] if len(streams) == 1 else merge_by_name(streams, self.largest)

    def _stream(
        self, one: ImageList, first: int, kept: dict[int, Path], columns: Sequence[str] | None
    ) -> Iterator[Group]:
        for number in range(len(one)):
            path = kept.get(first + number)
            content = path.read_bytes() if path else b""
            if not path or _digits(content) != _digits_of(path):
                raise InputError(
                    f"shard {first + number} of {self.out} was corrupt on disk: the same command with --resume makes it anew"
                )
            yield one.files(number), pq.read_table(io.BytesIO(content), columns=columns)

    def _is_drawn(self, number: int, path: Path) -> bool:
        if self.drawn is None:
            return True
        errors = pq.read_table(path, columns=[ERROR])[ERROR].to_pylist()
        return all(
            error is not None or self.drawn(file).exists()
            for file, error in zip(self.shard(number), errors, strict=True)
        )

    def _kept(self) -> dict[int, Path]:
        return {int(path.name.split("-")[0]): path for path in sorted(self._folder.glob("*-*.parquet"))}
