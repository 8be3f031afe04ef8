"""Features of image files, one shard after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from ddrscope.batch.shard_store import DIGEST, ERROR, pack
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError, escaped, printable
from ddrscope.features import Precision, choose_batch, collect_features
from ddrscope.features.precision import check_precision
from ddrscope.images import ImageFile, center_crop, read_ahead
from ddrscope.images.reading import ReadResult
from ddrscope.networks import Network, load_network
from ddrscope.results.extraction_files import FEATURES, NAME, ROW_TYPE


@dataclass(frozen=True)
class ExtractionTask:
    """Describes a worker that extracts features, in this process or on another machine.

    Args:
        network: A name, a checkpoint or ``module:function``.
        layer: The layer.
        view: ``flattened`` or ``pooled``.
        degradation: What is done to each image before it is shrunk by the network's scale and cropped.
        crop: The side of the centred crop in HR pixels.
        seed: Of the degradation.
        precision: In which the network is run.
        device: Where it runs.
        global_residual: Whether it adds its enlarged input to its output. Default: detected.
        allow_torchscript: Read TorchScript archives, which hold programs.
    """

    network: str
    layer: str
    view: str
    degradation: str = "clean"
    crop: int = 128
    seed: int = 0
    precision: Precision = "auto"
    device: str = "cpu"
    global_residual: bool | None = None
    allow_torchscript: bool = False

    def __post_init__(self) -> None:
        check_precision(self.precision)

    def open(self) -> ExtractionWorker:
        """Load the network."""
        network = load_network(
            self.network, global_residual=self.global_residual, allow_torchscript=self.allow_torchscript
        )
        return ExtractionWorker(self, network.to(self.device))


@dataclass(frozen=True)
class ExtractionWorker:
    """Extracts features.

    Args:
        task: Which features.
        network: The network that the task names.
    """

    task: ExtractionTask
    network: Network

    def __call__(self, files: Sequence[ImageFile]) -> bytes:
        """The shard of these images: path, name, features (null where there are none), error (why)."""
        crops: list[NDArray[np.float32]] = []
        columns: dict[str, list[str | None]] = {name: [] for name in ("path", NAME, ERROR, DIGEST)}
        for reading in read_ahead(files, self.network.channels):
            error = reading.error.reason if reading.error else None
            try:
                crops += self._crop(reading)
            except InputError as too_small:
                error = printable(str(too_small))
            values = (escaped(str(reading.file.path)), reading.file.name, error, reading.sha256)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        features = iter(self._features(crops) if crops else ())
        rows = [next(features) if error is None else None for error in columns[ERROR]]
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        return pack(table.append_column(FEATURES, pa.array(rows, ROW_TYPE)))

    def _crop(self, reading: ReadResult) -> list[NDArray[np.float32]]:
        """What the network reads of an image; nothing where it could not be read."""
        if reading.image is None:
            return []
        task, scale = self.task, self.network.scale
        pipeline = parse_degradation(task.degradation)
        small = pipeline.apply(reading.image.pixels, task.seed, scale, reading.image.bits)
        return [center_crop(small, task.crop // scale, name=f"{reading.file.name} shrunk by {scale}")]

    def _features(self, crops: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        task, module = self.task, self.network.module
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
        size = choose_batch(module, pixels[:1], [task.layer], run=self.network)
        matrices = collect_features(
            module, pixels.split(size), [task.layer], [task.view], run=self.network, precision=task.precision
        )
        return matrices[task.layer, task.view].to_numpy()
