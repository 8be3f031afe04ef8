"""One output file made of many images, shard by shard.

A run that is killed at any moment loses the shards it was working on, and a resumed one repeats no other. Until FILE is
written, ``FILE.parts/parts/`` holds the lists of the images and the finished shards. ``FILE.manifest.json`` stays beside
FILE: settings, versions, and the hashes of FILE and of all its images. ``FILE.images`` lists every image with its hash,
so that a later run can add new images. Memory does not grow with the number of images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from ddrscope.batch.image_lists import Group, ImageList, image_table, merge_by_name, write_list
from ddrscope.batch.inputs import check_unchanged, find_inputs, new_images
from ddrscope.batch.output_files import check_finished, manifest_path, parts_path
from ddrscope.batch.shard_store import DIGEST, ERROR, ShardStore, pack
from ddrscope.batch.sharded_settings import ShardedFileSettings
from ddrscope.errors import InputError, RunConflictError
from ddrscope.images import ImageFile
from ddrscope.io.files import remove_stale_temp_files, sha256, write_json
from ddrscope.io.manifest import manifest
from ddrscope.io.run_directory import RunDirectory
from ddrscope.progress import NullProgress, Progress


class ShardedFile:
    """An output file in the making; use it as a context manager.

    Args:
        settings: What the file is made of.
        progress: Told about images that are compared with those of an earlier run.

    Raises:
        RunConflictError: On entering, as `RunDirectory`; or an image of the earlier run is gone or has changed.
        InputError: On entering: the sources hold no image.
    """

    def __init__(self, settings: ShardedFileSettings, progress: Progress | None = None) -> None:
        self.settings = settings
        self._progress = progress or NullProgress()
        self._run = RunDirectory(
            parts_path(settings.out), settings.identity, (), resume=settings.resume, overwrite=settings.overwrite
        )
        self._lists: list[ImageList] = []
        self._store: ShardStore

    def is_finished(self) -> bool:
        """Whether the file exists, is of these settings and lacks no image.

        Raises:
            InputError: The file is a folder.
            RunConflictError: The file may be neither kept nor replaced: neither ``resume`` nor ``overwrite`` is given,
                it was changed, or it is of other settings or images.
        """
        settings, out = self.settings, self.settings.out
        if out.is_dir():
            # Found at once: it would fail when everything is done and the file is put in its place.
            raise InputError(f"{out} is a folder: `out` must be a file")
        if not out.exists() or settings.overwrite:
            return False
        if settings.resume and self._run.path.exists():
            # The run was killed between writing FILE and deleting the shards.
            return False
        if not settings.resume:
            raise RunConflictError(
                f"{out} exists: give `overwrite`=True to replace it, `resume`=True to keep it, or another `out`"
            )
        check_finished(out, settings.identity, (settings.index, *settings.companions))
        with ImageList(settings.index) as index:
            groups = list(index.groups([DIGEST, ERROR]))
        known = [pair for files, table in groups for pair in zip(files, table.to_pylist(), strict=True)]
        files = [file for file, _ in known]
        added = new_images(files, self._find_images(), str(out))
        self._progress.start("checking that images are the same", len(files))
        check_unchanged(files, [row[DIGEST] for _, row in known], str(out), self._progress.advance)
        return not added and all(self._has_output(file, row[ERROR]) for file, row in known)

    def __enter__(self) -> ShardedFile:
        settings = self.settings
        # A finished file is turned into shards again, which new images then join.
        reopened = settings.resume and not settings.overwrite and settings.out.exists() and not self._run.path.exists()
        with ExitStack() as stack:
            stack.enter_context(self._run)
            remove_stale_temp_files((settings.out, manifest_path(settings.out), settings.index, *settings.companions))
            self._store = ShardStore(self._run.parts)
            if reopened:
                self._restore_shards()
            self._lists = [stack.enter_context(ImageList(path)) for path in sorted(self._run.parts.glob("*.list"))]
            known = [file for images in self._lists for number in range(len(images)) for file in images.files(number)]
            added = new_images(known, self._find_images(), str(self._run.path))
            if known and not reopened:
                self._check_unchanged()
            if added:
                stack.enter_context(self._add(added))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(self.sizes())

    def __len__(self) -> int:
        """The number of shards."""
        return sum(map(len, self._lists))

    def sizes(self) -> list[int]:
        """The number of images in each shard."""
        return [size for images in self._lists for size in images.sizes()]

    def files(self, number: int) -> list[ImageFile]:
        """The image files of a shard, counted from 0."""
        for images in self._lists:
            if number < len(images):
                return images.files(number)
            number -= len(images)
        raise IndexError(number)

    def missing(self) -> list[int]:
        """The numbers of the shards to make: those that are missing or corrupt, or lack the output of an image."""
        return [number for number in range(len(self)) if not self._is_complete(number)]

    def keep(self, number: int, content: bytes) -> None:
        """Put a shard, as `pack` gives it, on disk."""
        self._store.write(number, content)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All rows in the order of the images' names, about a shard at a time; raises `InputError` for a corrupt shard."""
        return (table for _, table in self._groups(columns))

    def finish(self) -> str:
        """Write what stays beside FILE, delete the shards, and return the SHA-256 of FILE, which the caller has written."""
        settings = self.settings
        combined = hashlib.sha256()
        columns = [name for name in self._store.columns() if name not in settings.large_columns]

        def listed() -> Iterator[pa.Table]:
            for files, table in self._groups(columns):
                for value in table[DIGEST].to_pylist():
                    combined.update((value or "").encode() + b"\n")
                yield image_table(files, table)

        write_list(settings.index, listed())
        digest = sha256(settings.out)
        hashes = {"sha256": digest, "images": self.images, "images_sha256": combined.hexdigest()}
        companions = {path.name: sha256(path) for path in (settings.index, *settings.companions)}
        identity = {**settings.identity, "sources": [str(source) for source in settings.sources]}
        write_json(manifest_path(settings.out), manifest(identity) | hashes | {"beside": companions})
        self._run.discard()
        return digest

    def _find_images(self) -> list[ImageFile]:
        return find_inputs(self.settings.sources, (self.settings.out, *self.settings.output_folders))

    def _check_unchanged(self) -> None:
        """Raise `RunConflictError` if an image of a finished shard has changed."""
        sizes = self.sizes()
        intact = [number for number in range(len(sizes)) if self._store.is_intact(number)]
        self._progress.start("checking that images are the same", sum(sizes[number] for number in intact))
        for number in intact:
            before = self._store.read(number, [DIGEST])[DIGEST].to_pylist()
            check_unchanged(self.files(number), before, str(self._run.path), self._progress.advance)

    def _restore_shards(self) -> None:
        with ImageList(self.settings.index) as index:
            write_list(self._list_path(0), (image_table(index.files(number)) for number in range(len(index))))
            for number, table in enumerate(self.settings.restore(table for _, table in index.groups())):
                self.keep(number, pack(table))

    def _add(self, files: Sequence[ImageFile]) -> ImageList:
        """Put images that are in no list yet into a new one."""
        size = self.settings.shard_size(len(files))
        path = self._list_path(len(self._lists))
        write_list(path, (image_table(files[start : start + size]) for start in range(0, len(files), size)))
        self._lists.append(ImageList(path))
        return self._lists[-1]

    def _list_path(self, number: int) -> Path:
        return self._run.parts / f"images-{number:03d}.list"

    def _groups(self, columns: Sequence[str] | None) -> Iterator[Group]:
        streams, first = [], 0
        for images in self._lists:
            streams.append(self._stream(images, first, columns))
            first += len(images)
        return streams[0] if len(streams) == 1 else merge_by_name(streams, self.settings.max_shard)

    def _stream(self, images: ImageList, first: int, columns: Sequence[str] | None) -> Iterator[Group]:
        for number in range(len(images)):
            yield images.files(number), self._store.read(first + number, columns)

    def _is_complete(self, number: int) -> bool:
        if not self._store.is_intact(number):
            return False
        if self.settings.image_output is None:
            return True
        errors = self._store.read(number, [ERROR])[ERROR].to_pylist()
        return all(map(self._has_output, self.files(number), errors))

    def _has_output(self, file: ImageFile, error: str | None) -> bool:
        """Whether the output of an image exists, where it has one: images with an error have none."""
        output = self.settings.image_output
        return output is None or error is not None or output(file).exists()
