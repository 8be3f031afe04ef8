"""Extraction of features: the public function."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ddrscope.batch.executors import make_executor
from ddrscope.batch.output_files import resumable_manifest
from ddrscope.batch.process import process_shards
from ddrscope.batch.shard_store import ERROR
from ddrscope.batch.sharded_file import ShardedFile
from ddrscope.batch.sharded_settings import ShardedFileSettings
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.extraction.worker import ExtractionTask, ExtractionWorker
from ddrscope.features import VIEWS
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.images import bundled_photos
from ddrscope.io.paths import expand_path
from ddrscope.layers import LayerName, default_layers, resolve_layers
from ddrscope.networks import Network, load_network
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.extraction import ExtractedFeatures
from ddrscope.results.extraction_files import (
    BATCH_ROWS,
    FEATURES,
    check_out,
    companion_paths,
    restore_features,
    write_features,
)

_logger = logging.getLogger("ddrscope")


def extract_features(
    network: str | Path | Network,
    images: str | Path | Sequence[str | Path] | None = None,
    out: str | Path | None = None,
    *,
    layer: str | None = None,
    view: str = "flattened",
    degradation: str = "clean",
    crop: int = 128,
    global_residual: bool | None = None,
    allow_torchscript: bool = False,
    cluster: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    progress: Progress | None = None,
) -> ExtractedFeatures:
    """Extract the features of images at one layer of a network.

    Each image is degraded, shrunk by the network's scale, and cropped. Images that cannot be read or are smaller than the
    crop are skipped.

    Args:
        network: A name, a checkpoint, ``module:function``, or a loaded network.
        images: Clean images: folders, globs, lists (.txt), files or URIs. Default: the bundled photographs.
        out: The file to write: FILE.npy, float32 (N, D), with the names of the images in FILE.txt, or FILE.parquet with
            the columns ``picture`` (the name) and ``features``. Default: the features are only in memory.
        layer: The layer, such as ``body.7``. Default: the last HR layer.
        view: ``flattened`` (C*H*W numbers an image), or ``pooled`` (the means and standard deviations of the C channels).
        degradation: What is done to each image, such as ``blur:4`` (sigma in HR pixels) or ``blur:2+noise:10``.
        crop: The side of the centred crop in HR pixels, a multiple of the network's scale.
        global_residual: Whether the network adds its enlarged input to its output. Default: detected.
        allow_torchscript: Read TorchScript archives, which hold programs: only from people you trust.
        cluster: ``local`` or the address of a Ray cluster, to share the work between workers.
        resume: Continue the interrupted run of ``out``, or add new images to a finished one; start if there is none.
        overwrite: Replace what an earlier run left in ``out``.
        seed: Of the degradation.
        device: Where the network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where it is faster.
        threads: Processor threads; 0 for all. On a cluster: of each worker; 0 for 1.
        progress: Shows how far the work is.

    Returns:
        The features, rows in the order of the images' names.

    Raises:
        InputError: No image can be read, or a parameter is not usable.
        RunConflictError: ``out`` exists and neither ``resume`` nor ``overwrite`` is given, or it is of another run.
        MissingDependencyError: ``cluster`` is given and Ray is not installed.

    Examples:
        >>> blurred = ddrscope.extract_features("srresnet-wgr", degradation="blur:4", view="pooled")
        >>> blurred.features.shape
        (30, 128)
        >>> ddrscope.extract_features("mynet.pth", "photos", "clean.npy", layer="body.7", resume=True)
    """
    target = expand_path(out) if out is not None else None
    if target:
        check_out(target)
    if view not in VIEWS:
        raise InputError(f"`view`={view} is unknown: choose {' or '.join(VIEWS)}")
    device = resolve_device(device)
    loaded = network if isinstance(network, Network) else _load(network, global_residual, allow_torchscript)
    loaded.to(device)
    if crop % loaded.scale:
        raise InputError(f"`crop`={crop} is no multiple of the network's scale {loaded.scale}")
    pipeline = parse_degradation(degradation)
    pipeline.check_scale(loaded.scale)
    manifest = resumable_manifest(target) if target and resume else None
    task = ExtractionTask(
        network=_specification(network, cluster),
        layer=_resolve_layer(loaded, layer, crop // loaded.scale, device),
        view=view,
        degradation=pipeline.text,
        crop=crop,
        seed=seed,
        precision=resolve_precision(precision, torch.device(device), manifest),
        device=device,
        global_residual=global_residual,
        allow_torchscript=allow_torchscript,
    )
    sources = [bundled_photos()] if images is None else [images] if isinstance(images, str | Path) else list(images)
    run = _Extraction(ExtractionWorker(task, loaded), sources, cluster, threads, progress or NullProgress())
    if target:
        return run.to_file(target, resume, overwrite)
    with tempfile.TemporaryDirectory(prefix="ddrscope-") as folder:
        written = run.to_file(Path(folder, "features.npy"), resume=False, overwrite=False)
        # Copied, since the file goes with the folder.
        arrays = written.names, np.array(written.features)
        return ExtractedFeatures(written.layer, written.view, written.skipped, arrays=arrays)


class _Extraction:
    """One run: which features, of which images, computed where."""

    def __init__(
        self,
        worker: ExtractionWorker,
        sources: Sequence[str | Path],
        cluster: str | None,
        threads: int,
        progress: Progress,
    ) -> None:
        self.worker, self.task, self.network = worker, worker.task, worker.network
        self.sources, self.cluster, self.threads, self.progress = sources, cluster, threads, progress

    def to_file(self, out: Path, resume: bool, overwrite: bool) -> ExtractedFeatures:
        settings = ShardedFileSettings(
            out,
            self.sources,
            self._identity(),
            resume=resume,
            overwrite=overwrite,
            max_shard=BATCH_ROWS,
            companions=companion_paths(out),
            large_columns=(FEATURES,),
            restore=partial(restore_features, out),
        )
        shards = ShardedFile(settings, self.progress)
        if shards.is_finished():
            _logger.info("%s is complete and as it was written: nothing to do", out)
        else:
            self._run(shards, out)
        return ExtractedFeatures(self.task.layer, self.task.view, settings.read_errors(), out)

    def _run(self, shards: ShardedFile, out: Path) -> None:
        for note in self.network.notes:
            _logger.info("%s: %s", self.network.name, note)
        with torch_threads(self.threads), shards:
            self.progress.start(f"{self.task.layer} of {self.network.name}", shards.images)
            executor = make_executor(self.task, self.cluster, self.threads, self.worker)
            process_shards(shards, executor, self.progress)
            _check_any_features(shards)
            write_features(shards.tables, out)
            shards.finish()

    def _identity(self) -> Mapping[str, object]:
        """What decides whether two runs are the same, with the keys of the manifest."""
        task = self.task
        return {
            "network": self.network.identity(), "global_residual": self.network.global_residual, "layer": task.layer,
            "view": task.view, "degrade": task.degradation, "crop": task.crop, "seed": task.seed,
            "precision": task.precision,
        }  # fmt: skip


def _load(network: str | Path, global_residual: bool | None, allow_torchscript: bool) -> Network:
    return load_network(str(network), global_residual=global_residual, allow_torchscript=allow_torchscript)


def _specification(network: str | Path | Network, cluster: str | None) -> str:
    """What workers load the network by."""
    if not isinstance(network, Network):
        return str(network)
    if cluster:
        raise InputError("on a `cluster` workers load the network themselves: give `network` as a name or a file")
    return network.name


def _resolve_layer(network: Network, layer: str | None, side: int, device: str) -> str:
    """The name of the layer; by default of the last HR layer. Another name of that layer is replaced by its usual one."""
    sample = torch.zeros(1, network.channels, side, side, device=device)
    last = network.last_hr_layer or default_layers(network.module, sample, network).last_hr_layer
    layers = resolve_layers(network.module, [layer, last] if layer else [last], sample, network)
    others = [name for name in layers if LayerName.parse(name) != LayerName.parse(last)]
    if len(others) > 1:
        shown = ", ".join(others[:3])
        raise InputError(f"`layer`={layer} names {len(others)} layers ({shown} ...): name one")
    return others[0] if others else last


def _check_any_features(shards: ShardedFile) -> None:
    """Raise `InputError` if no image has features."""
    reasons: dict[str, str] = {}
    for table in shards.tables(["path", ERROR]):
        if table[ERROR].null_count:
            return
        reasons |= dict(zip(table["path"].to_pylist(), table[ERROR].to_pylist(), strict=True))
    path, reason = next(iter(reasons.items()))
    raise InputError(f"no image can be read: nothing is written ({path}: {reason})")
