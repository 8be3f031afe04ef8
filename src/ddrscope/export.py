"""Features of many pictures as one file, for other people's tools: shard by shard, so that a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ddrscope.degradations import Pipeline
from ddrscope.errors import InputError
from ddrscope.features import Precision, choose_batch, collect_features
from ddrscope.images import PictureFile, UnreadablePicture, center_crop, read_picture
from ddrscope.networks import Network
from ddrscope.store import atomic_write, sha256, write_json

SHARD_PICTURES = 32
FORMATS = (".npy", ".parquet")


@dataclass(frozen=True)
class Export:
    """Which features: of ``layer`` in ``view``, of pictures degraded by ``pipeline``, shrunk, cropped to ``crop`` HR pixels."""

    network: Network
    layer: str
    view: str
    pipeline: Pipeline
    crop: int
    seed: int = 0
    precision: Precision = "auto"

    def write_shards(
        self, files: Sequence[PictureFile], folder: Path, step: Callable[[int], None] = lambda _: None
    ) -> dict[str, str]:
        """Write ``00000.npz`` ... into ``folder``, leaving out those that are there; return the unreadable with their reasons."""
        skipped: dict[str, str] = {}
        for number, start in enumerate(range(0, len(files), SHARD_PICTURES)):
            chosen = files[start : start + SHARD_PICTURES]
            names = folder / f"{number:05d}.json"
            unreadable: dict[str, str] = {}
            if not names.exists():
                pictures = dict(self._pixels(chosen, unreadable))
                rows = self._features(list(pictures.values())) if pictures else np.zeros((0, 0), np.float32)
                with atomic_write(folder / f"{number:05d}.npy") as temporary, temporary.open("wb") as file:
                    np.save(file, rows)
                # Written last: a shard counts as done when its names are there.
                write_json(names, {"names": list(pictures), "skipped": unreadable})
            skipped |= json.loads(names.read_text(encoding="utf-8"))["skipped"]
            step(len(chosen))
        return skipped

    def _pixels(self, files: Sequence[PictureFile], skipped: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
        scale = self.network.scale
        for file in files:
            try:
                picture = read_picture(file, self.network.channels)
            except UnreadablePicture as error:
                skipped[str(file.path)] = error.reason
                continue
            pixels = self.pipeline.apply(picture.pixels, self.seed, scale, picture.bits)
            yield file.name, center_crop(pixels, self.crop // scale, name=f"{file.name} shrunk by {scale}")

    def _features(self, pictures: list[np.ndarray]) -> np.ndarray:
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
        size = choose_batch(self.network.module, pixels[:1], [self.layer], run=self.network)
        matrices = collect_features(
            self.network.module,
            pixels.split(size),
            [self.layer],
            [self.view],
            run=self.network,
            precision=self.precision,
        )
        return matrices[self.layer, self.view].to_numpy()


def join_shards(folder: Path, out: Path) -> int:
    """Join the shards in ``folder`` into ``out`` (.npy with the names in a .txt beside it, or .parquet); return the number of rows."""
    shards = sorted(folder.glob("*.json"))
    names = [name for shard in shards for name in json.loads(shard.read_text(encoding="utf-8"))["names"]]
    if not names:
        raise InputError("no picture can be read: nothing is written")
    blocks = (np.load(shard.with_suffix(".npy"), mmap_mode="r") for shard in shards)
    filled = (block for block in blocks if len(block))
    if out.suffix == ".npy":
        _write_npy(out, filled, len(names))
        with atomic_write(out.with_suffix(".txt")) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    else:
        _write_parquet(out, filled, names)
    return len(names)


def check_format(out: Path) -> None:
    """Raise `InputError` unless ``out`` ends in a format that can be written."""
    if out.suffix not in FORMATS:
        raise InputError(
            f"--out {out}: features are written as {' or '.join(FORMATS)}: give the file one of these endings"
        )


def describe(out: Path, names: int) -> dict[str, Any]:
    """What a script needs to know of a written file."""
    return {"out": str(out), "rows": names, "sha256": sha256(out)}


def _write_npy(out: Path, blocks: Iterator[np.ndarray], rows: int) -> None:
    with atomic_write(out) as temporary:
        matrix, start = None, 0
        for block in blocks:
            if matrix is None:
                shape = (rows, block.shape[1])
                matrix = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            matrix[start : start + len(block)] = block
            start += len(block)
        if matrix is not None:
            matrix.flush()


def _write_parquet(out: Path, blocks: Iterator[np.ndarray], names: list[str]) -> None:
    with atomic_write(out) as temporary:
        writer, start = None, 0
        for block in blocks:
            table = pa.table(
                {
                    "picture": names[start : start + len(block)],
                    "features": pa.FixedSizeListArray.from_arrays(
                        pa.array(np.ascontiguousarray(block).ravel()), block.shape[1]
                    ),
                }
            )
            writer = writer or pq.ParquetWriter(temporary, table.schema)
            writer.write_table(table)
            start += len(block)
        if writer:
            writer.close()
