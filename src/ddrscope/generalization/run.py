"""`generalize`: networks x sets, a score with its interval for each, and a ranking."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import torch

from ddrscope.batch.executors import make_executor
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.inputs import input_hashes, output_paths
from ddrscope.generalization.measurement import Measurement
from ddrscope.generalization.networks import ScoredNetwork, load_networks
from ddrscope.generalization.patches import PatchCutter
from ddrscope.generalization.plan import SetPlan, plan_sets
from ddrscope.generalization.result import OUTPUTS, GeneralizationResult
from ddrscope.generalization.score import COMPONENTS
from ddrscope.generalization.settings import CLEAN, PATCH_SIDE, PATCHES, RESAMPLES, GeneralizationSettings
from ddrscope.generalization.suite import read_suite
from ddrscope.generalization.summary import summarize
from ddrscope.generalization.worker import Job, ScoringTask, ScoringWorker
from ddrscope.io.files import atomic_write
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import Network
from ddrscope.progress import NullProgress, Progress

_logger = logging.getLogger("ddrscope")
RESULTS = ("generalization.json", "generalization.csv", "report.html")


def generalize(
    networks: str | Path | Network | Sequence[str | Path | Network],
    images: str | Path | Sequence[str | Path] = (),
    degradations: str | Sequence[str] = (),
    sets: Mapping[str, str | Path] | None = None,
    *,
    suite: str | Path | None = None,
    reference: str = CLEAN,
    patches: int = PATCHES,
    patch: int = PATCH_SIDE,
    components: int = COMPONENTS,
    resamples: int = RESAMPLES,
    layer: str | None = None,
    photo_from: str = "prefix",
    global_residual: bool | None = None,
    allow_torchscript: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    progress: Progress | None = None,
    cluster: str | None = None,
) -> GeneralizationResult:
    """Score how well networks generalize to degraded images, without ground truth (SRGA, arXiv 2205.07019).

    The score of a set is the Kullback-Leibler divergence between the distributions of a network's features on the
    reference and on the set, on a logarithmic scale: 0 is no difference, smaller is taken for better. See
    docs/generalization.md for the method and its limits.

    Args:
        networks: Networks to score, all of the same scale and channels: names, paths or loaded networks.
        images: Clean images that are degraded: folders, globs, lists or files. Default: the bundled photographs.
        degradations: One set of patches for each, such as ``"blur:2"``.
        sets: Folders of images that are degraded already, at the size of the networks' input, by the names of the sets.
        suite: Name (``pies``) or TOML file of a list of degradations, before those of ``degradations``.
        reference: The set that the others are compared with: a degradation or a name of ``sets``.
        patches: Number of patches in each set, distributed over the images.
        patch: Side of a patch in HR pixels, a multiple of the networks' scale.
        components: Number of principal components, fewer than ``patches``.
        resamples: Number of resamples for the confidence intervals.
        layer: The layer to score. Default: the last HR layer of each network.
        photo_from: The rule by which images belong to photographs: ``prefix``, ``name``, ``folder`` or ``exif``.
        global_residual: Whether networks add the enlarged input to their output, if their files do not say.
        allow_torchscript: Read TorchScript archives, which contain programs.
        out: Folder for the results, where finished networks and sets survive an interruption. Default: none, the result is
            in memory only.
        resume: Continue the run in ``out``; start if there is none.
        overwrite: Replace an earlier run in ``out``.
        seed: Seed of the degradations and resamples.
        device: Device of the networks that are loaded here.
        precision: Precision of the networks: ``float32``, ``bfloat16`` or ``auto``.
        threads: Processor threads; 0 for all. On a cluster, the threads of each worker (default 1).
        progress: Where progress is reported.
        cluster: ``local`` or the address of a Ray cluster, which shares the networks and sets between its workers.

    Returns:
        Scores, intervals and ranking.

    Raises:
        InputError: A parameter is out of range, a network or a set cannot be used, or ``out`` holds another run.

    Examples:
        >>> result = generalize(["srresnet-wgr", "srgan-wgr"], degradations=["blur:2", "noise:20"])  # doctest: +SKIP
        >>> result.to_frame()[["network", "set", "srga"]]  # doctest: +SKIP
    """
    given = [networks] if isinstance(networks, str | Path | Network) else list(networks)
    if cluster and any(isinstance(network, Network) for network in given):
        raise InputError("`cluster` needs networks by name or path, since its workers load them")
    texts = [degradations] if isinstance(degradations, str) else degradations
    folder = None if out is None else expand_path(out)
    device = resolve_device(device)
    settings = GeneralizationSettings(
        networks=tuple(network.name if isinstance(network, Network) else str(network) for network in given),
        images=(str(images),) if isinstance(images, str | Path) else tuple(map(str, images)),
        degradations=(*(read_suite(suite) if suite else ()), *texts),
        sets={name: str(path) for name, path in (sets or {}).items()},
        reference=reference,
        patches=patches,
        patch=patch,
        components=components,
        resamples=resamples,
        layer=layer,
        seed=seed,
        precision=resolve_precision(precision, torch.device(device), folder if resume else None),
        device=device,
        global_residual=global_residual,
        allow_torchscript=allow_torchscript,
        photo_from=photo_from,
    )
    progress = progress or NullProgress()
    with torch_threads(threads):
        run = _Run(settings, load_networks(given, settings), progress, cluster, threads)
        if folder is None:
            with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
                return run.result(Path(parts), outputs=())
        inputs = input_hashes(settings, run.networks, folder)
        with RunDirectory(
            folder, settings.to_dict(), OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite
        ) as directory:
            if directory.is_finished(*RESULTS):
                result = GeneralizationResult.load(folder)
                _logger.info("%s is complete: nothing to do", folder)
            else:
                result = run.result(directory.parts, output_paths(folder))
                progress.start("report", 0)
                result.save(folder)
            directory.finish()
        return result


class _Run:
    """One run; each finished measurement is kept in a file, so that a run which is repeated continues where it stopped."""

    def __init__(
        self,
        settings: GeneralizationSettings,
        networks: Sequence[ScoredNetwork],
        progress: Progress,
        cluster: str | None,
        threads: int,
    ) -> None:
        self.settings, self.networks, self.progress = settings, networks, progress
        self.cluster, self.threads = cluster, threads

    def result(self, parts: Path, outputs: Sequence[Path]) -> GeneralizationResult:
        """Measure what is not in ``parts`` yet, and summarize; images below ``outputs`` are left out."""
        first = self.networks[0].network
        images = DecodedImages(first.channels)
        plan = plan_sets(self.settings, first.scale, first.channels, images, outputs)
        jobs = [(number, name) for name in plan.set_names for number in range(len(self.networks))]
        files = [self._file(parts, job) for job in jobs]
        missing = [number for number, file in enumerate(files) if not file.exists()]
        for number, content in self._measure(plan, images, [(number, jobs[number]) for number in missing], parts):
            with atomic_write(files[number]) as temporary:
                temporary.write_bytes(content)
        measurements = {
            (self.networks[number].name, name): Measurement.from_file(file)
            for (number, name), file in zip(jobs, files, strict=True)
        }
        return summarize(self.settings, self.networks, plan, measurements)

    def _measure(
        self, plan: SetPlan, images: DecodedImages, jobs: Sequence[tuple[int, Job]], parts: Path
    ) -> Iterator[tuple[int, bytes]]:
        with PatchCutter(plan, images, parts) as cutter:
            if self.cluster is None:
                cutter.cut([name for _, (_, name) in jobs], self.progress)
            images.clear()
            worker = ScoringWorker(self.settings, self.networks, cutter, parts, self.progress)
            executor = make_executor(ScoringTask(self.settings, plan), self.cluster, self.threads, worker)
            if self.cluster is None:
                # The worker itself reports its progress.
                yield from executor.run(jobs)
                return
            self.progress.start("networks on sets", len(jobs))
            for result in executor.run(jobs):
                yield result
                self.progress.advance()

    def _file(self, parts: Path, job: Job) -> Path:
        network = self.networks[job[0]].network
        key = "|".join((network.name, network.sha256, job[1]))
        return parts / f"{blake2b(key.encode(), digest_size=12).hexdigest()}.npz"
