"""The loop of a run over shards."""

from __future__ import annotations

from ddrscope.batch.executors import Executor
from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.progress import Progress


def process_shards(shards: ShardedFile, executor: Executor, progress: Progress) -> None:
    """Make the shards that are missing, each kept as soon as it is done.

    Args:
        shards: The output file, open.
        executor: Turns the image files of a shard into its bytes, as `ddrscope.batch.shard_store.pack` gives them.
        progress: Advanced by the number of images, those of shards that are kept already included.
    """
    missing, sizes = shards.missing(), shards.sizes()
    progress.advance(sum(sizes) - sum(sizes[number] for number in missing))
    for number, content in executor.run((number, shards.files(number)) for number in missing):
        shards.keep(number, content)
        progress.advance(sizes[number])
