"""Feature files -> sums and a sample -> t-SNE -> every other row placed on its plane, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ddrscope.embedding.tsne import TsneMap
from ddrscope.errors import InputError
from ddrscope.images import check_photo_from, photograph_notes, photograph_of
from ddrscope.images.crops import share_out
from ddrscope.io.files import atomic_write
from ddrscope.io.manifest import manifest
from ddrscope.io.parquet import write_parquet
from ddrscope.io.paths import expand_path
from ddrscope.maps.feature_files import FeatureFiles
from ddrscope.maps.plane_accuracy import PlaneAccuracy
from ddrscope.maps.result import MapResult
from ddrscope.metrics.group_sums import GroupSums, PooledSums
from ddrscope.progress import NullProgress, Progress

COMPONENTS = 50
# Rows read at a time, and placed at a time: a few megabytes of features, of neighbours and of gradients.
READ, PLACED = 8192, 20_000
# Below this many points in all, each is placed exactly; the grid would cost more than it saves.
EXACT = 10_000


@dataclass(frozen=True)
class MapSettings:
    """``files`` by name; ``label``, a column that groups their rows; ``sample`` points for t-SNE at ``perplexity``; ``seed``."""

    files: dict[str, str]
    label: str | None = None
    sample: int = 5000
    perplexity: float = 30
    seed: int = 0
    photo_from: str = "prefix"

    def __post_init__(self) -> None:
        if self.sample < TsneMap.MIN_POINTS:
            raise InputError(f"--sample {self.sample} is too few for t-SNE: at least {TsneMap.MIN_POINTS}")
        if not self.perplexity >= 1:
            raise InputError(f"--perplexity {self.perplexity:g} is below 1: 30 is usual")

        rule = check_photo_from(self.photo_from)
        if rule == "exif":
            raise InputError("--photo-from exif: files of features have no EXIF data: give name, folder or prefix")
        object.__setattr__(self, "photo_from", rule)

    def to_dict(self) -> dict[str, Any]:
        """What decides whether two runs are the same."""
        return asdict(self)


class PointMap:
    """A map in the making. Memory: a byte, a number of a group and two coordinates for each row, and the sample's features."""

    def __init__(self, settings: MapSettings, threads: int = 1, progress: Progress | None = None) -> None:
        self.settings, self.threads = settings, threads
        self.progress = progress or NullProgress()
        self.files = FeatureFiles({name: expand_path(path) for name, path in settings.files.items()}, settings.label)

    def run(self, out: Path) -> MapResult:
        """Make the map, writing ``out`` / map.parquet on the way."""
        sums = self._sums()
        mean, axes = sums.axes(COMPONENTS)
        sampled = self._choose()
        features, codes, names = self._sample(sampled)
        # One thread, so that the plane does not depend on their number; placing does not.
        tsne = TsneMap(self.settings.seed, self.settings.perplexity)
        self.progress.start(f"t-SNE of {len(features)} points", 0)
        tsne.fit((features - mean) @ axes)
        tsne.threads = self.threads
        known = PlaneAccuracy(tsne.embedding_, codes, names, self.settings.photo_from)
        known.ask(tsne.embedding_, codes, names)
        accuracy = {"knn_plane_sampled": known.take()}

        xy = np.empty((len(self.files), 2), np.float32)
        all_codes = np.empty(len(self.files), np.int16)
        with atomic_write(out / "map.parquet") as temporary:
            write_parquet(self._place(tsne, mean, axes, sampled, xy, all_codes, known), temporary)
        accuracy["knn_plane_placed"] = known.take()
        photos = {name: photograph_of(name, self.settings.photo_from) for name in names}
        data = self._data(sums, axes, tsne, sampled, accuracy)
        data["notes"] += photograph_notes(photos, self.settings.photo_from)
        return MapResult(data, xy, all_codes, sampled, names)

    def _sums(self) -> GroupSums:
        origin = next(self.files.rows(READ)).features.mean(axis=0, dtype=np.float64)
        groups = len(self.files.groups)
        self.progress.start("sums", len(self.files))
        if self.files.aligned():
            pooled = PooledSums(groups, origin)
            for cells in self.files.cells(max(1, READ // groups)):
                pooled.update(cells)
                self.progress.advance(cells.shape[0] * groups)
            return pooled
        sums = GroupSums(groups, origin)
        for rows in self.files.rows(READ):
            sums.add(rows.features, rows.codes)
            self.progress.advance(len(rows.codes))
        return sums

    def _choose(self) -> list[NDArray[np.bool_]]:
        """Of each group, which of its rows, in order, are sampled: as many of every group as there are, up to an equal share."""
        random = np.random.default_rng(self.settings.seed)
        chosen = []
        counts = self.files.counts.tolist()
        for count, take in zip(counts, share_out(counts, self.settings.sample), strict=True):
            flags = np.zeros(count, bool)
            flags[random.choice(count, take, replace=False)] = True
            chosen.append(flags)
        return chosen

    def _sample(self, sampled: list[NDArray[np.bool_]]) -> tuple[NDArray[np.float32], NDArray[np.int16], list[str]]:
        """The sampled rows in the order of the files: features, groups, names."""
        features, codes, names = [], [], []
        self.progress.start("sample", len(self.files))
        for rows, flags in self._flagged(sampled):
            features.append(rows.features[flags])
            codes.append(rows.codes[flags])
            names += rows.names.filter(pa.array(flags)).to_pylist()
            self.progress.advance(len(flags))
        return np.concatenate(features), np.concatenate(codes), [str(name) for name in names]

    def _flagged(self, sampled: list[NDArray[np.bool_]], limit: int = READ) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
        """All rows, each with whether it is sampled."""
        seen = np.zeros(len(self.files.groups), np.int64)
        for rows in self.files.rows(limit):
            flags = np.empty(len(rows.codes), bool)
            for code in np.unique(rows.codes):
                mine = rows.codes == code
                flags[mine] = sampled[code][seen[code] : seen[code] + mine.sum()]
                seen[code] += mine.sum()
            yield rows, flags

    def _place(
        self,
        tsne: TsneMap,
        mean: NDArray[np.float64],
        axes: NDArray[np.float64],
        sampled: list[NDArray[np.bool_]],
        xy: NDArray[np.float32],
        codes: NDArray[np.int16],
        known: PlaneAccuracy,
    ) -> Iterator[pa.Table]:
        """Rows of map.parquet, in the order of the files; ``xy`` and ``codes`` are filled on the way."""
        groups = pa.array(self.files.groups)
        start = fitted = 0
        self.progress.start("placing", len(self.files))
        for rows, flags in self._flagged(sampled, PLACED):
            stop, old = start + len(flags), int(flags.sum())
            places = np.empty((len(flags), 2))
            places[flags] = tsne.embedding_[fitted : fitted + old]
            new = ~flags
            if new.any():
                places[new] = tsne.transform((rows.features[new] - mean) @ axes, many=len(self.files) >= EXACT)
                known.ask(places[new], rows.codes[new], rows.names.filter(pa.array(new)).to_pylist())
            xy[start:stop], codes[start:stop] = places, rows.codes
            columns = {
                "picture": rows.names,
                "group": pa.DictionaryArray.from_arrays(pa.array(rows.codes), groups),
                "x": pa.array(xy[start:stop, 0]), "y": pa.array(xy[start:stop, 1]),
                "sampled": pa.array(flags),
            }  # fmt: skip
            yield pa.table(columns)
            start, fitted = stop, fitted + old
            self.progress.advance(len(flags))

    def _data(
        self,
        sums: GroupSums,
        axes: NDArray[np.float64],
        tsne: TsneMap,
        sampled: list[NDArray[np.bool_]],
        accuracy: dict[str, float],
    ) -> dict[str, Any]:
        files, notes = self.files, [*self.files.notes, *([tsne.adapted_] if tsne.adapted_ else [])]
        if not isinstance(sums, PooledSums):
            notes.append(
                "variance shares are left out: they need files of the same images in the same order, one for each group"
            )
        rows = zip(files.groups, files.counts.tolist(), sampled, strict=True)
        return {
            "points": len(files), "features": files.size, "balanced": isinstance(sums, PooledSums),
            "groups": [{"name": name, "points": count, "sampled": int(flags.sum())} for name, count, flags in rows],
            "measures": sums.measures(COMPONENTS) | accuracy,
            "components": axes.shape[1], "perplexity": tsne.perplexity_,
            "placed_by": "gradient on a grid" if len(files) >= EXACT else "gradient",
            "notes": notes, "settings": self.settings.to_dict(), "manifest": manifest(self.settings.to_dict()),
        }  # fmt: skip
