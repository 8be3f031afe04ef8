"""`map_features`: files of features -> sums and a sample -> t-SNE -> all other points placed on its plane."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddrscope.embedding.tsne import TsneMap
from ddrscope.errors import InputError
from ddrscope.features.threads import torch_threads
from ddrscope.images import check_photo_from, photograph_notes, photograph_of
from ddrscope.io.manifest import manifest
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.maps.feature_files import FeatureFiles
from ddrscope.maps.placing import Plane, place_all, uses_grid
from ddrscope.maps.plane_knn import PlaneKnn
from ddrscope.maps.result import OUTPUTS, MapResult
from ddrscope.maps.sampling import Flags, Sample, choose_sample, read_sample
from ddrscope.metrics.group_sums import GroupSums, PairedSums
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.maps import MapGroup, MapMeasures

RESULTS = ("map.json", "map.parquet", "map.html")
COMPONENTS = 50
_READ_ROWS = 8192
_logger = logging.getLogger("ddrscope")


@dataclass(frozen=True)
class MapSettings:
    """What to map; see `ddrscope.map_features` for the meaning of the fields.

    Raises:
        InputError: A value is out of range.
    """

    files: dict[str, str]
    label: str | None = None
    sample: int = 5000
    perplexity: float = 30
    seed: int = 0
    photo_from: str = "prefix"

    def __post_init__(self) -> None:
        if not self.files:
            raise InputError("`files` is empty: give one or more files of features")
        if self.sample < TsneMap.MIN_POINTS:
            raise InputError(f"`sample`={self.sample} is too small for t-SNE: give {TsneMap.MIN_POINTS} or more")
        if not self.perplexity >= 1:
            raise InputError(f"`perplexity`={self.perplexity:g} is too small: give 1 or more, 30 is usual")
        rule = check_photo_from(self.photo_from)
        if rule == "exif":
            raise InputError("`photo_from`=exif: files of features have no EXIF data: give name, folder or prefix")
        object.__setattr__(self, "photo_from", rule)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)


def map_features(
    files: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    *,
    label: str | None = None,
    sample: int = 5000,
    perplexity: float = 30,
    photo_from: str = "prefix",
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> MapResult:
    """Map many points: measures of all of them, a t-SNE plane of a sample, all others placed on it.

    Features are read in batches; in memory are the features of the sample, and of each point its name, its group and its
    position.

    Args:
        files: Parquet files of pooled features of one network and layer, as `ddrscope.extract_features` writes them:
            by name, or named by their stems.
        label: A column whose values are the groups. Default: each file is a group.
        sample: Number of points that t-SNE is fitted to, equally many of each group.
        perplexity: Perplexity of t-SNE, lowered if there are few points.
        photo_from: The rule by which images belong to photographs: ``prefix``, ``name`` or ``folder``.
        out: Folder for the results. Default: none, the result is in memory only.
        resume: Keep a finished map in ``out``; an interrupted one is computed from the start.
        overwrite: Replace an earlier run in ``out``.
        seed: Seed of the sample and of t-SNE.
        threads: Processor threads; 0 for all. The result does not depend on it.
        progress: Where progress is reported.

    Returns:
        Positions, groups and measures.

    Raises:
        InputError: A parameter is out of range, a file cannot be used, the files do not belong together, or ``out``
            holds another run.

    Examples:
        >>> result = map_features({"clean": "clean.parquet", "blurred": "blurred.parquet"})  # doctest: +SKIP
        >>> result.measures.chi_pca  # doctest: +SKIP
    """
    settings = MapSettings(_named(files), label, sample, perplexity, seed, photo_from)
    progress = progress or NullProgress()
    inputs = FeatureFiles({name: expand_path(path) for name, path in settings.files.items()}, label)
    with torch_threads(threads) as count:
        if out is None:
            return _map(inputs, settings, count, progress)
        folder = expand_path(out)
        with RunDirectory(
            folder,
            settings.to_dict(),
            OUTPUTS,
            inputs={"files": inputs.digests},
            resume=resume,
            overwrite=overwrite,
        ) as directory:
            if directory.is_finished(*RESULTS):
                result = MapResult.load(folder)
                _logger.info("%s is complete: nothing to do", folder)
            else:
                result = _map(inputs, settings, count, progress)
                progress.start("figures and page", 0)
                result.save(folder)
            directory.finish()
        return result


def _named(files: str | Path | Sequence[str | Path] | Mapping[str, str | Path]) -> dict[str, str]:
    """The files by name, files without one by their stems."""
    if isinstance(files, Mapping):
        return {name: str(path) for name, path in files.items()}
    named: dict[str, str] = {}
    for path in [files] if isinstance(files, str | Path) else files:
        stem = expand_path(path).stem
        if stem in named:
            raise InputError(f"two files are called {stem!r}: give `files` with a name for each")
        named[stem] = str(path)
    return named


def _map(files: FeatureFiles, settings: MapSettings, threads: int, progress: Progress) -> MapResult:
    sums = _sums(files, progress)
    mean, axes = sums.axes(COMPONENTS)
    flags = choose_sample(files.counts, settings.sample, settings.seed)
    sample = read_sample(files, flags, progress)
    # Fitted by one thread, so that the plane does not depend on their number. Positions of placed points do not.
    tsne = TsneMap(settings.seed, settings.perplexity)
    progress.start(f"t-SNE of {len(sample.codes)} points", 0)
    tsne.fit((sample.features - mean) @ axes)
    tsne.threads = threads
    classifier = PlaneKnn(tsne.embedding_, sample.codes, sample.names, settings.photo_from)
    sampled = classifier.count(tsne.embedding_, sample.codes, sample.names)
    table, placed = place_all(files, flags, Plane(tsne, mean, axes), classifier, progress)
    measures = sums.measures(COMPONENTS)
    return MapResult(
        features=files.size,
        balanced=isinstance(sums, PairedSums),
        groups=_groups(files, flags),
        measures=MapMeasures(**asdict(measures), knn_plane_sampled=sampled.accuracy, knn_plane_placed=placed.accuracy),
        components=axes.shape[1],
        perplexity=tsne.perplexity_,
        placed_by="gradient on a grid" if uses_grid(len(files)) else "gradient",
        notes=_notes(files, sums, tsne, sample, settings.photo_from),
        manifest=manifest(settings.to_dict()),
        table=table,
    )


def _sums(files: FeatureFiles, progress: Progress) -> GroupSums:
    origin = next(files.rows(_READ_ROWS)).features.mean(axis=0, dtype=np.float64)
    groups = len(files.groups)
    progress.start("sums", len(files))
    if files.is_paired():
        paired = PairedSums(groups, origin)
        for cells in files.images(max(1, _READ_ROWS // groups)):
            paired.add_images(cells)
            progress.advance(cells.shape[0] * groups)
        return paired
    sums = GroupSums(groups, origin)
    for rows in files.rows(_READ_ROWS):
        sums.add(rows.features, rows.codes)
        progress.advance(len(rows.codes))
    return sums


def _groups(files: FeatureFiles, flags: Flags) -> tuple[MapGroup, ...]:
    rows = zip(files.groups, files.counts.tolist(), flags, strict=True)
    return tuple(MapGroup(name, count, int(sampled.sum())) for name, count, sampled in rows)


def _notes(files: FeatureFiles, sums: GroupSums, tsne: TsneMap, sample: Sample, photo_from: str) -> tuple[str, ...]:
    notes = [*files.notes, *([tsne.adapted_] if tsne.adapted_ else [])]
    if not isinstance(sums, PairedSums):
        notes.append(
            "Variance shares need files of the same images in the same order, one for each group, so there are none."
        )
    photos = {name: photograph_of(name, photo_from) for name in sample.names}
    return (*notes, *photograph_notes(photos, photo_from))
