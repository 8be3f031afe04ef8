"""Identification of many images: the public function."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from ddrscope.batch.executors import make_executor
from ddrscope.batch.output_files import resumable_manifest
from ddrscope.batch.process import process_shards
from ddrscope.batch.shard_store import DIGEST
from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.batch.sharded_settings import ShardedFileSettings
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.identification.files import COMPACT, bundled_identifier
from ddrscope.identification.result import IdentificationResult
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.identification.worker import IdentificationTask, IdentificationWorker, heatmap_path
from ddrscope.images import find_images
from ddrscope.io.files import sha256
from ddrscope.io.paths import expand_path
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.identification import IdentifiedImage
from ddrscope.results.identification_files import check_format, write_tables

_logger = logging.getLogger("ddrscope")


def identify(
    images: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    heatmap: str | Path | None = None,
    tiles: int | None = MAX_TILES,
    identifier: str | Path | None = None,
    descriptor: str = COMPACT,
    cluster: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    progress: Progress | None = None,
) -> IdentificationResult:
    """Identify the distortion of images: type, level, whether it is like anything known, and where.

    An image that cannot be read or has fewer than 16 pixels a side gets a row with an error. A row does not depend on the
    other images.

    Args:
        images: Folders, globs, lists (.txt), files or URIs, as `ddrscope.images.find_images` takes them.
        out: A file for the table: .parquet, .csv or .jsonl. Rows are kept as they are computed, so that a run that was
            interrupted can be resumed. Default: the rows are only in memory.
        heatmap: A folder in which the heatmap of each image is drawn, as ``photo.jpg.png`` for ``photo.jpg``.
        tiles: The largest number of tiles of 128 x 128 pixels to look at in each image, spread evenly; None for all.
        identifier: A file that `ddrscope.fit_identifier` wrote. Default: a bundled one.
        descriptor: Which bundled identifier: ``compact``, a small network of its own, or ``ddr``, the features of a
            super-resolution network, which is slow and estimates no physical units.
        cluster: ``local`` or the address of a Ray cluster, to share the work between workers; needs ``out``.
        resume: Continue the interrupted run of ``out``, or add new images to a finished one; start if there is none.
        overwrite: Replace what an earlier run left in ``out``.
        device: Where the network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where it is faster.
        threads: Processor threads; 0 for all. On a cluster: of each worker; 0 for 1.
        progress: Shows how far the work is.

    Returns:
        The rows in the order of the images' names. With ``out`` they are read from the file as they are needed.

    Raises:
        InputError: There is no image, or a parameter is not usable.
        RunConflictError: ``out`` exists and neither ``resume`` nor ``overwrite`` is given, or it is of another run.
        MissingDependencyError: ``cluster`` is given and Ray is not installed.

    Examples:
        >>> result = ddrscope.identify("photos")
        >>> for image in result:
        ...     print(image.path, image.identification or image.error)
        >>> ddrscope.identify("photos", out="findings.parquet", heatmap="maps", resume=True).to_frame()
    """
    if out is None:
        if cluster:
            raise InputError("`cluster` needs a file for the table: give `out`")
        worker = _task(heatmap, tiles, identifier, descriptor, device, precision, None).open()
        return IdentificationResult(worker.identifier.names, tuple(_identify_each(worker, images, threads, progress)))
    out = expand_path(out)
    check_format(out)
    task = _task(heatmap, tiles, identifier, descriptor, device, precision, resumable_manifest(out) if resume else None)
    worker = task.open()
    settings = ShardedFileSettings(
        out,
        _sources(images),
        _identity(task),
        resume=resume,
        overwrite=overwrite,
        image_output=partial(heatmap_path, task.heatmaps) if task.heatmaps else None,
        output_folders=(task.heatmaps,) if task.heatmaps else (),
    )
    progress = progress or NullProgress()
    shards = ShardedFile(settings, progress)
    if shards.is_finished():
        _logger.info("%s is complete and as it was written: nothing to do", out)
        return IdentificationResult.load(out)
    with torch_threads(threads), shards:
        progress.start("identifying", shards.images)
        process_shards(shards, make_executor(task, cluster, threads, worker), progress)
        write_tables((table.drop_columns([DIGEST]) for table in shards.tables()), out)
        shards.finish()
    return IdentificationResult.load(out)


def iter_identifications(
    images: str | Path | Sequence[str | Path],
    *,
    heatmap: str | Path | None = None,
    tiles: int | None = MAX_TILES,
    identifier: str | Path | None = None,
    descriptor: str = COMPACT,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    progress: Progress | None = None,
) -> Iterator[IdentifiedImage]:
    """Identify the distortion of images, and yield each as soon as it is identified.

    The arguments, the order of the rows and the exceptions are those of `identify` without ``out``.
    """
    worker = _task(heatmap, tiles, identifier, descriptor, device, precision, None).open()
    yield from _identify_each(worker, images, threads, progress)


def _identify_each(
    worker: IdentificationWorker,
    images: str | Path | Sequence[str | Path],
    threads: int,
    progress: Progress | None,
) -> Iterator[IdentifiedImage]:
    files = find_images(_sources(images))
    progress = progress or NullProgress()
    progress.start("identifying", len(files))
    with torch_threads(threads):
        for image in worker.identify_files(files):
            yield image
            progress.advance()


def _task(
    heatmap: str | Path | None,
    tiles: int | None,
    identifier: str | Path | None,
    descriptor: str,
    device: str,
    precision: str,
    manifest: Path | None,
) -> IdentificationTask:
    if tiles is not None and tiles < 1:
        raise InputError(f"`tiles`={tiles} is too few: give 1 or more, or None for all")
    if identifier and descriptor != COMPACT:
        raise InputError(
            f"`descriptor`={descriptor} chooses a bundled identifier, and `identifier` is given: leave one out"
        )
    device = resolve_device(device)
    return IdentificationTask(
        expand_path(identifier) if identifier else None,
        descriptor,
        tiles,
        expand_path(heatmap) if heatmap else None,
        device,
        resolve_precision(precision, torch.device(device), manifest),
    )


def _identity(task: IdentificationTask) -> dict[str, object]:
    """What decides whether two runs are the same, with the keys of the manifest."""
    file = task.identifier or bundled_identifier(task.descriptor)
    return {
        "identifier": {"name": file.stem, "sha256": sha256(file)},
        "tiles": task.tiles,
        "precision": task.precision,
        "heatmap": os.path.abspath(task.heatmaps) if task.heatmaps else None,
    }


def _sources(images: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [images] if isinstance(images, str | Path) else list(images)
