"""`ddrscope.analyze`."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ddrscope.analysis.networks import input_hashes, load_networks
from ddrscope.analysis.result import OUTPUTS, RESULT_FILES, AnalysisResult
from ddrscope.analysis.run import AnalysisRun
from ddrscope.analysis.settings import DEFAULT_DEGRADATIONS, DEFAULT_NETWORKS, AnalysisSettings
from ddrscope.features import VIEWS, Precision
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.metrics.measures import Content
from ddrscope.networks import Network
from ddrscope.progress import NullProgress, Progress

_logger = logging.getLogger("ddrscope")


def analyze(
    networks: str | Path | Network | Sequence[str | Path | Network] | None = None,
    images: str | Path | Sequence[str | Path] = (),
    degradations: str | Sequence[str] | None = None,
    sets: Mapping[str, str | Path] | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    output_layers: Mapping[str, str] | None = None,
    views: str | Sequence[str] = tuple(VIEWS),
    checkpoints: Mapping[str, str | Path] | None = None,
    crop: int = 128,
    limit: int | None = None,
    content: Content = "image",
    photo_from: str = "prefix",
    tsne_seeds: int = 3,
    global_residual: bool | None = None,
    allow_torchscript: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    threads: int = 0,
    progress: Progress | None = None,
) -> AnalysisResult:
    """Measure at every layer whether the features of networks cluster by degradation or by content.

    Every image is degraded in several ways and passed through every network. Measures of each layer, with confidence
    intervals over photographs, are compared with those of random weights, shuffled labels and the pixels themselves.

    Args:
        networks: Networks to analyse: names, paths of checkpoints, ``module:function`` texts, or `Network` objects,
            which stay on their device. Default: the two bundled SRResNets, or none where ``checkpoints`` are given.
        images: Clean images: folders, globs, lists (.txt) or files. Default: the bundled photographs.
        degradations: Texts such as ``clean``, ``blur:4``, ``noise:20`` or ``blur:2+noise:10``. Default: ``clean``,
            ``blur:4`` and ``noise:20``, or none where ``sets`` are given.
        sets: Folders of degraded images by name, fed to the networks as they are.
        layers: Names or globs of layers, as ``body.*``, or ``NETWORK=LAYER`` for a layer of one network; the last HR
            layer is always added. Default: every block.
        output_layers: The last HR layer of a network or of a series of checkpoints, by its name, where the one that is
            found is not meant: the verdict is on this layer.
        views: ``flattened`` (every feature, as in the paper) and ``pooled`` (mean and standard deviation of each
            channel).
        checkpoints: Globs of checkpoints by name of the training; their last HR layers are measured.
        crop: Side of the centre crop in HR pixels, a multiple of the scales of the networks.
        limit: Use only the first images of ``images`` and of each set.
        content: What one content group is: ``image``, ``photo`` for all images of a photograph, or ``folder`` for all
            images of a folder, which adds the class share.
        photo_from: How images are assigned to photographs: ``prefix`` (the name up to a double underscore), ``name``,
            ``folder`` or ``exif``.
        tsne_seeds: Number of t-SNE planes of each layer, 1 to 20.
        global_residual: Whether the networks add the enlarged input to their output, where the checkpoint does not say;
            None detects it.
        allow_torchscript: Read TorchScript archives. They contain programs: allow only trusted sources.
        out: Folder for all files of the result, and for intermediate results. None keeps the result in memory.
        resume: Continue the interrupted run in ``out``; start if there is none.
        overwrite: Replace what an earlier run left in ``out``.
        seed: Seed of random degradations, permutations, random weights and t-SNE.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster on this machine.
        threads: Processor threads; 0 takes all. The numbers do not depend on it.
        progress: Receives progress updates.

    Returns:
        The result, saved in ``out`` if that is given.

    Raises:
        InputError: A parameter is wrong, a network or all images cannot be read, or features are not finite.
        RunConflictError: ``out`` holds another run, or another process works there.

    Examples:
        >>> result = analyze("srresnet-wgr", degradations=["clean", "blur:4"], limit=6, crop=64, layers=(), tsne_seeds=1)
        >>> result.layer("srresnet-wgr", "flattened").k
        2
    """
    if networks is None:
        networks = () if checkpoints else DEFAULT_NETWORKS
    if degradations is None:
        degradations = () if sets else DEFAULT_DEGRADATIONS
    given = [networks] if isinstance(networks, str | Path | Network) else list(networks)
    folder = None if out is None else expand_path(out)
    device = resolve_device(device)
    settings = AnalysisSettings(
        networks=tuple(network.name if isinstance(network, Network) else str(network) for network in given),
        images=_texts(images),
        degradations=_texts(degradations),
        sets={name: str(source) for name, source in (sets or {}).items()},
        layers=None if layers is None else _texts(layers),
        output_layers=dict(output_layers or {}),
        views=_texts(views),
        checkpoints={name: str(pattern) for name, pattern in (checkpoints or {}).items()},
        global_residual=global_residual,
        allow_torchscript=allow_torchscript,
        crop=crop,
        limit=limit,
        content=content,
        photo_from=photo_from,
        seed=seed,
        tsne_seeds=tsne_seeds,
        precision=resolve_precision(precision, torch.device(device), folder if resume else None),
        device=device,
    )
    progress = progress or NullProgress()
    loaded = load_networks([network if isinstance(network, Network) else str(network) for network in given], settings)
    with torch_threads(threads) as count:
        if folder is None:
            with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
                return AnalysisRun(settings, loaded, Path(parts), count, progress).run()
        inputs = input_hashes(settings, loaded, folder)
        with RunDirectory(
            folder, settings.to_dict(), OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite
        ) as directory:
            if directory.is_finished(*RESULT_FILES):
                _logger.info("%s is complete: nothing to do", folder)
                result = AnalysisResult.load(folder)
            else:
                result = AnalysisRun(settings, loaded, directory.parts, count, progress).run()
                progress.start("report", 0)
                result.save(folder)
            directory.finish()
        return result


def _texts(values: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """One value or several as texts."""
    return (str(values),) if isinstance(values, str | Path) else tuple(map(str, values))
