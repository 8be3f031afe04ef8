"""The features of many images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features.batch_size import fastest_memory_format
from ddrscope.features.hooks import Run, capture, device_of
from ddrscope.features.matrix import FeatureMatrix, RowWriter
from ddrscope.features.names import LayerName
from ddrscope.features.precision import Precision, autocast
from ddrscope.features.views import VIEWS, to_channels_first


class NonFiniteFeatures(InputError):
    """An image's features hold NaN or infinity: image `row` (from 0, in the order of the batches) at `layer`."""

    def __init__(self, layer: str, row: int) -> None:
        super().__init__(
            f"layer {layer!r}: the features of image {row} are not finite; check the network's weights and "
            "pixel range, or run it in float32"
        )
        self.layer = layer
        self.row = row


def collect_features(
    module: nn.Module,
    batches: Iterable[Tensor],
    layers: Sequence[str],
    views: Sequence[str] = ("flattened", "pooled"),
    *,
    run: Run | None = None,
    precision: Precision = "auto",
    folder: Path | None = None,
    in_memory_bytes: int = 1 << 30,
) -> dict[tuple[str, str], FeatureMatrix]:
    """The features of all images at the given layers, by (layer, view), one row an image.

    `batches` are float32 (B, C, H, W), not necessarily of one size; `layers` as `resolve_layers` gives them. View
    `flattened` is ``(N, C*H*W)``, in (C, H, W) order; `pooled` is (N, 2C), means then standard deviations. Flattened features
    beyond `in_memory_bytes` in all go to temporary files in `folder` (the system's by default). A row does not depend on its
    neighbours in the batch. InputError for an unknown layer, differing sizes in the flattened view, no images;
    NonFiniteFeatures for NaN and infinity.
    """
    device = device_of(module)
    share = in_memory_bytes // max(1, len(layers))
    writers = {(layer, view): RowWriter(folder, share) for layer in layers for view in views}
    submodules = dict(module.named_modules())
    memory_format: torch.memory_format | None = None
    done = 0

    for batch in batches:

        def reduce(layer: str, tensor: Tensor, batch: Tensor = batch) -> dict[str, Tensor]:
            try:
                submodule = submodules[LayerName.parse(layer).module]
                features = to_channels_first(tensor, batch, module=submodule)
            except InputError as error:
                raise InputError(f"layer {layer!r}: {error}") from error
            return {view: VIEWS[view](features) for view in views}

        with autocast(precision, device):
            memory_format = memory_format or fastest_memory_format(module, batch[:1], layers, run)
            batch = batch.contiguous(memory_format=memory_format)
            captured = capture(module, batch, layers, reduce, run=run)
        for layer, found in captured.items():
            for view, rows in found.items():
                finite = rows.isfinite().all(dim=1)
                if not finite.all():
                    raise NonFiniteFeatures(layer, done + int(finite.int().argmin()))
                try:
                    writers[layer, view].append(rows.numpy())
                except InputError as error:
                    raise InputError(f"layer {layer!r}: {error}") from error
        done += len(batch)
    if not done:
        raise InputError("no images to take features of")
    return {key: writer.finish() for key, writer in writers.items()}
