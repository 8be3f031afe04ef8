"""What a sharded output file is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ddrscope.batch.image_lists import ImageList
from ddrscope.batch.shard_store import ERROR
from ddrscope.images import ImageFile

# Images in a shard, which is what a killed run may have to repeat. From 1000 shards on they grow instead.
MIN_SHARD, MAX_SHARD, MANY_SHARDS = 16, 256, 1000

# Adds to rows of FILE.images the columns that only FILE itself has.
Restore = Callable[[Iterable[pa.Table]], Iterator[pa.Table]]


@dataclass(frozen=True)
class ShardedFileSettings:
    """What a `ShardedFile` is made of.

    Args:
        out: FILE.
        sources: The images, as `find_images` takes them.
        identity: What decides, with the images, whether an earlier run is the same; JSON values.
        resume: Do only what is missing in an earlier run.
        overwrite: Replace an earlier run.
        max_shard: The largest number of images in a shard, for rows that are large.
        companions: Files that are written with FILE and belong to it.
        large_columns: Columns of FILE that are not kept a second time in ``FILE.images``.
        restore: Adds those columns to rows of ``FILE.images``, from FILE.
        image_output: The file that is written for an image besides its row; a missing one is made again.
        output_folders: The folders of such files, in which no images are looked for.
    """

    out: Path
    sources: Sequence[str | Path]
    identity: Mapping[str, Any]
    resume: bool = False
    overwrite: bool = False
    max_shard: int = MAX_SHARD
    companions: Sequence[Path] = ()
    large_columns: Sequence[str] = ()
    restore: Restore = iter
    image_output: Callable[[ImageFile], Path] | None = None
    output_folders: Sequence[Path] = ()

    @property
    def index(self) -> Path:
        """``FILE.images``."""
        return self.out.with_name(f"{self.out.name}.images")

    def shard_size(self, count: int) -> int:
        """The number of images in each shard of ``count`` new images."""
        return min(self.max_shard, MAX_SHARD, max(MIN_SHARD, count // MANY_SHARDS))

    def read_errors(self) -> dict[str, str]:
        """Why images have no result, by path, as ``FILE.images`` of the finished file has it."""
        with ImageList(self.index) as index:
            tables = [table.filter(table[ERROR].is_valid()) for _, table in index.groups(["path", ERROR])]
        return {row["path"]: row[ERROR] for table in tables for row in table.to_pylist()}
