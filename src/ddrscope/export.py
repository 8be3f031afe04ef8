"""Features of many pictures as one file, for other people's tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError, escaped
from ddrscope.features import Precision, choose_batch, collect_features
from ddrscope.features.execution import check_precision
from ddrscope.images import PictureFile, UnreadablePicture, center_crop, read_ahead
from ddrscope.networks import Network, load_network
from ddrscope.shards import DIGEST, ShardedFile, pack, write_parquet
from ddrscope.store import atomic_write

# Rows of flattened features are megabytes each.
SHARD_PICTURES = 32
FORMATS = (".npy", ".parquet")


@dataclass(frozen=True)
class ExportTask:
    """Which features: of ``layer`` of ``network`` in ``view``, of pictures degraded by ``degrade``, shrunk, cropped.

    ``crop`` is in HR pixels; the other fields are the options of `ddrscope features`.
    """

    network: str
    layer: str
    view: str
    degrade: str = "clean"
    crop: int = 128
    seed: int = 0
    precision: Precision = "auto"
    device: str = "cpu"
    global_residual: bool | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        check_precision(self.precision)

    def open(self) -> Export:
        """Load the network."""
        network = load_network(self.network, global_residual=self.global_residual, trust=self.trust).to(self.device)
        return Export(self, network)


@dataclass(frozen=True)
class Export:
    """Takes the features that a task names, by its network."""

    task: ExportTask
    network: Network

    def __call__(self, files: Sequence[PictureFile]) -> bytes:
        """The shard of these pictures: path, picture (its name), features (null where there are none), error (why)."""
        task, scale = self.task, self.network.scale
        pipeline = parse_degradation(task.degrade)
        pixels: list[np.ndarray] = []
        rows: list[dict[str, Any]] = []
        for reading in read_ahead(files, self.network.channels):
            error: UnreadablePicture | None = reading.error
            if reading.picture:
                small = pipeline.apply(reading.picture.pixels, task.seed, scale, reading.picture.bits)
                pixels.append(center_crop(small, task.crop // scale, name=f"{reading.file.name} shrunk by {scale}"))
            rows.append(
                {"path": escaped(str(reading.file.path)), "picture": reading.file.name, DIGEST: reading.sha256}
                | {"error": error.reason if error else None}
            )
        features = self._features(pixels) if pixels else np.zeros((0, 0), np.float32)
        return pack(_table(rows, features))

    def _features(self, pictures: list[np.ndarray]) -> np.ndarray:
        task = self.task
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
        size = choose_batch(self.network.module, pixels[:1], [task.layer], run=self.network)
        matrices = collect_features(
            self.network.module, pixels.split(size), [task.layer], [task.view], run=self.network, precision=task.precision
        )
        return matrices[task.layer, task.view].to_numpy()


def _table(rows: list[dict[str, Any]], features: np.ndarray) -> pa.Table:
    found = iter(features)
    values = [None if row["error"] else next(found) for row in rows]
    schema = pa.schema([(name, pa.string()) for name in ("path", "picture", "error", DIGEST)])
    column = pa.array(values, pa.large_list(pa.float32()))
    return pa.Table.from_pylist(rows, schema).append_column("features", column)


def join_features(shards: ShardedFile, out: Path) -> tuple[int, dict[str, str]]:
    """Write all shards into ``out`` (.npy with the names in a .txt beside it, or .parquet).

    Returns the number of rows, and the pictures left out with their reasons. Raises `InputError` where no picture can be read.
    """
    names: list[str] = []
    skipped: dict[str, str] = {}
    for table in shards.tables(["path", "picture", "error"]):
        for row in table.to_pylist():
            if row["error"] is None:
                names.append(row["picture"])
            else:
                skipped[row["path"]] = row["error"]
    if not names:
        raise InputError("no picture can be read: nothing is written")
    if out.suffix == ".npy":
        _write_npy(out, shards, len(names))
        (target,) = names_of(out)
        with atomic_write(target) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    else:
        with atomic_write(out) as temporary:
            write_parquet((_named(rows) for rows in _rows(shards)), temporary)
    return len(names), skipped


def names_of(out: Path) -> tuple[Path, ...]:
    """The file of names that lies beside FILE.npy; none beside FILE.parquet."""
    return (out.with_suffix(".txt"),) if out.suffix == ".npy" else ()


def restore_features(out: Path, known: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Shards again: rows (path, picture, error, sha256) with the features that ``out`` holds of those without an error."""
    rows = _written_rows(out)
    for table in known:
        values = [next(rows) if error is None else None for error in table["error"].to_pylist()]
        yield table.append_column("features", pa.array(values, pa.large_list(pa.float32())))


def _written_rows(out: Path) -> Iterator[np.ndarray]:
    if out.suffix == ".npy":
        yield from np.load(out, mmap_mode="r", allow_pickle=False)
        return
    with pq.ParquetFile(out) as file:
        for batch in file.iter_batches(SHARD_PICTURES, columns=["features"]):
            column = batch.column(0)
            yield from column.flatten().to_numpy().reshape(len(column), -1)


def check_out(out: Path) -> None:
    """Raise `InputError` unless ``out`` ends in a format that can be written, and the names beside it replace no stranger's file."""
    if out.suffix not in FORMATS:
        raise InputError(
            f"--out {out}: features are written as {' or '.join(FORMATS)}: give the file one of these endings"
        )
    names = out.with_suffix(".txt")
    # Names are written after the features, so names alone are somebody else's.
    if out.suffix == ".npy" and names.exists() and not out.exists():
        raise InputError(f"--out {out}: the pictures' names go to {names}, which exists already: choose another name")


def _rows(shards: ShardedFile) -> Iterator[pa.Table]:
    """The pictures with features, shard by shard, none empty."""
    for table in shards.tables(["picture", "features"]):
        rows = table.filter(table["features"].is_valid())
        if len(rows):
            yield rows


def _matrix(rows: pa.Table) -> np.ndarray:
    return rows["features"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)


def _named(rows: pa.Table) -> pa.Table:
    block = _matrix(rows)
    features = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), block.shape[1])
    return pa.table({"picture": rows["picture"], "features": features})


def _write_npy(out: Path, shards: ShardedFile, count: int) -> None:
    with atomic_write(out) as temporary:
        matrix, start = None, 0
        for rows in _rows(shards):
            block = _matrix(rows)
            if matrix is None:
                matrix = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(count, block.shape[1]))
            matrix[start : start + len(block)] = block
            start += len(block)
        if matrix is not None:
            matrix.flush()
