"""Features of many images as one file, for other people's tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ddrscope.batch.shards import DIGEST, pack
from ddrscope.degradations import parse_degradation
from ddrscope.errors import escaped
from ddrscope.features import Precision, choose_batch, collect_features
from ddrscope.features.precision import check_precision
from ddrscope.images import ImageFile, UnreadableImage, center_crop, read_ahead
from ddrscope.networks import Network, load_network


@dataclass(frozen=True)
class ExportTask:
    """Which features: of ``layer`` of ``network`` in ``view``, of images degraded by ``degrade``, shrunk, cropped.

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
    allow_torchscript: bool = False

    def __post_init__(self) -> None:
        check_precision(self.precision)

    def open(self) -> Export:
        """Load the network."""
        network = load_network(
            self.network, global_residual=self.global_residual, allow_torchscript=self.allow_torchscript
        ).to(self.device)
        return Export(self, network)


@dataclass(frozen=True)
class Export:
    """Takes the features that a task names, by its network."""

    task: ExportTask
    network: Network

    def __call__(self, files: Sequence[ImageFile]) -> bytes:
        """The shard of these images: path, image (its name), features (null where there are none), error (why)."""
        task, scale = self.task, self.network.scale
        pipeline = parse_degradation(task.degrade)
        pixels: list[np.ndarray] = []
        rows: list[dict[str, Any]] = []
        for reading in read_ahead(files, self.network.channels):
            error: UnreadableImage | None = reading.error
            if reading.image:
                small = pipeline.apply(reading.image.pixels, task.seed, scale, reading.image.bits)
                pixels.append(center_crop(small, task.crop // scale, name=f"{reading.file.name} shrunk by {scale}"))
            rows.append(
                {"path": escaped(str(reading.file.path)), "picture": reading.file.name, DIGEST: reading.sha256}
                | {"error": error.reason if error else None}
            )
        features = self._features(pixels) if pixels else np.zeros((0, 0), np.float32)
        return pack(_table(rows, features))

    def _features(self, images: list[np.ndarray]) -> np.ndarray:
        task = self.task
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        size = choose_batch(self.network.module, pixels[:1], [task.layer], run=self.network)
        matrices = collect_features(
            self.network.module,
            pixels.split(size),
            [task.layer],
            [task.view],
            run=self.network,
            precision=task.precision,
        )
        return matrices[task.layer, task.view].to_numpy()


def _table(rows: list[dict[str, Any]], features: np.ndarray) -> pa.Table:
    found = iter(features)
    values = [None if row["error"] else next(found) for row in rows]
    schema = pa.schema([(name, pa.string()) for name in ("path", "picture", "error", DIGEST)])
    column = pa.array(values, pa.large_list(pa.float32()))
    return pa.Table.from_pylist(rows, schema).append_column("features", column)
