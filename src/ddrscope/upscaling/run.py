"""Upscaling image files into a directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import torch

from ddrscope.batch.inputs import find_inputs
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import Precision, resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.identification import load_identifier
from ddrscope.io.files import remove_stale_temp_files, write_json
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import Network, load_network
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.upscaling import UpscaledImage, UpscalingData
from ddrscope.upscaling.bundled_embeddings import BUNDLED_NETWORK
from ddrscope.upscaling.checks import check_network, check_scale
from ddrscope.upscaling.earlier_run import earlier_results, finished_images
from ddrscope.upscaling.embedding_map import map_embeddings
from ddrscope.upscaling.result import UpscalingResult
from ddrscope.upscaling.settings import OUTPUTS, SUMMARY, ResultPaths, UpscalingSettings
from ddrscope.upscaling.tiling import OVERLAP, TILE
from ddrscope.upscaling.upscaler import Upscaler


def upscale(
    images: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    network: str | Path | Network = BUNDLED_NETWORK,
    scale: int | None = None,
    format: str = "png",
    tile: int = TILE,
    overlap: int = OVERLAP,
    compare: bool = False,
    explain: bool = False,
    identify: bool = True,
    global_residual: bool | None = None,
    allow_torchscript: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    precision: Precision = "float32",
    threads: int = 0,
    progress: Progress | None = None,
) -> UpscalingResult:
    """Upscale image files with a network, and identify how they were degraded.

    Depth of 16 bits (PNG), transparency, colour profile, EXIF and resolution are kept, and images are turned upright.
    Large images go through the network tile by tile. An image that cannot be upscaled has an ``error`` in the result;
    the others are not affected. An interrupted run keeps the images that it finished.

    Args:
        images: Folders, globs, lists (.txt), files or URIs, see `ddrscope.images.find_images`.
        out: Output directory. It receives ``stem.FORMAT`` for each image, subfolders kept (two images of one stem keep
            their suffixes too: IMG_1.jpg.png), and ``upscale.json``.
        network: A network, its name (`ddrscope.list_networks`), a checkpoint, a hub folder, or ``module:function``.
        scale: The network's own scale, or a divisor of it, which is reached by bicubic shrinking. None: its own.
        format: ``png``, ``jpg``, ``webp`` or ``tif``. Only PNG is written with 16 bits.
        tile: Input pixels a side of a tile, a multiple of 8.
        overlap: Input pixels read on each side of a tile, a multiple of 8. If they cover the network's receptive
            field, tiles leave no seam.
        compare: Draw each image beside its bicubic enlargement, as ``compare/stem.png``.
        explain: Draw where a guided network places each image among known degradations, as ``explain/stem.png``.
        identify: Identify the distortion of each image.
        global_residual: Whether the network adds its enlarged input to its output, if a checkpoint does not say. None:
            auto-detect.
        allow_torchscript: Read TorchScript archives, which contain programs: only from sources that you trust.
        resume: Continue an interrupted run, or add images to a finished one; start if there is none.
        overwrite: Replace the results of an earlier run.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster.
        threads: Number of threads; 0: all.
        progress: Receives the tiles of each image.

    Returns:
        What was done with each image, also written to ``upscale.json``.

    Raises:
        InputError: There are no images, none could be upscaled, the network is not suitable, or an argument is out of
            range.
        RunConflictError: ``out`` is not empty and neither ``resume`` nor ``overwrite`` is given, or it holds another
            run, or another process works in it.

    Examples:
        >>> result = ddrscope.upscale("photos", "enlarged", compare=True)
        >>> result.to_frame()[["path", "out", "type", "level"]]
    """
    progress = progress or NullProgress()
    with torch_threads(threads):
        device, out = resolve_device(device), expand_path(out)
        if not isinstance(network, Network):
            network = load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript)
        network.to(device)
        check_network(network)
        files = find_inputs([images] if isinstance(images, str | Path) else images, [out])
        settings = UpscalingSettings(
            check_scale(network, scale),
            format,
            tile,
            overlap,
            resolve_precision(precision, torch.device(device), out if resume else None),
            compare,
            explain,
            identify,
        )
        upscaler = Upscaler(
            network,
            settings,
            ResultPaths(out, files, format),
            load_identifier(None, device) if identify else None,
            map_embeddings(network) if explain else None,
        )
        return _run(upscaler, resume, overwrite, progress)


def _run(upscaler: Upscaler, resume: bool, overwrite: bool, progress: Progress) -> UpscalingResult:
    network, settings, paths = upscaler.network, upscaler.settings, upscaler.paths
    summary = paths.out / SUMMARY
    replaced = earlier_results(paths.out) if overwrite else []
    with RunDirectory(
        paths.out, settings.to_manifest(network), OUTPUTS, resume=resume, overwrite=overwrite
    ) as directory:
        for path in replaced:
            path.unlink(missing_ok=True)
        finished = finished_images(paths, directory.parts, settings.drawing_folders(), progress)
        was_finished = len(finished) == len(paths.files) and summary.exists() and not any(directory.parts.iterdir())
        if not was_finished:
            images = _upscale_files(upscaler, directory.parts, finished, progress)
            write_json(summary, UpscalingData(str(paths.out), network.name, settings.scale, tuple(images)).to_json())
        directory.finish()
    return replace(UpscalingResult.load(paths.out), notes=tuple(_notes(upscaler)), was_finished=was_finished)


def _upscale_files(
    upscaler: Upscaler, parts: Path, finished: dict[str, UpscaledImage], progress: Progress
) -> list[UpscaledImage]:
    """Upscale the files that are not finished, and keep what was done with each in ``parts``.

    Raises:
        InputError: No image could be upscaled.
    """
    paths = upscaler.paths
    remove_stale_temp_files(map(paths.result, paths.files))
    done = []
    for file in paths.files:
        image = finished.get(str(file.path))
        if image is None:
            image = upscaler.upscale(file, progress)
            name = blake2b(os.fsencode(file.path), digest_size=16).hexdigest()
            write_json(parts / f"{name}.json", image.to_json())
        done.append(image)
    if not any(image.out for image in done):
        # The cause may be gone when the run is resumed: keep nothing.
        for part in parts.iterdir():
            part.unlink()
        more = f" (and {len(done) - 1} more)" if len(done) > 1 else ""
        raise InputError(f"no image could be upscaled: {done[0].error}{more}")
    return done


def _notes(upscaler: Upscaler) -> list[str]:
    notes = [f"{upscaler.network.name}: {note}" for note in upscaler.network.notes]
    if upscaler.reduced_depth:
        count = len(upscaler.reduced_depth)
        notes.append(f"{count} images of more than 8 bits a channel were written with 8: `format`=png keeps 16")
    return notes
