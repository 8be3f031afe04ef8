"""The features of many images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features.batch_size import fastest_memory_format
from ddrscope.features.matrix import FeatureMatrix, RowWriter
from ddrscope.features.precision import Precision, autocast
from ddrscope.features.views import VIEWS, to_channels_first
from ddrscope.layers.hooks import Run, capture, device_of
from ddrscope.layers.names import LayerName


class NonFiniteFeatures(InputError):
    """The features of an image contain NaN or infinity.

    Attributes:
        layer: Name of the layer.
        row: Index of the image, in the order of the batches.
    """

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
    """Collect the features of all images at several layers. A row does not depend on the other images of its batch.

    Args:
        module: The network.
        batches: float32 (B, C, H, W). Images may differ in size if only the pooled view is collected.
        layers: Names as `resolve_layers` returns them.
        views: ``flattened``: (N, C*H*W) in (C, H, W) order. ``pooled``: (N, 2C), means then standard deviations.
        run: How to call the network, see `Run`.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster.
        folder: Where temporary files go. None: the system's folder.
        in_memory_bytes: Flattened features beyond this total go to temporary files.

    Returns:
        A matrix by (layer, view), with a row for each image.

    Raises:
        InputError: A layer does not exist, sizes differ in the flattened view, or there are no images.
        NonFiniteFeatures: Features are NaN or infinite.
    """
    device = device_of(module)
    share = in_memory_bytes // max(1, len(layers))
    writers = {(layer, view): RowWriter(folder, share) for layer in layers for view in views}
    submodules = dict(module.named_modules())
    memory_format: torch.memory_format | None = None
    images_done = 0

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
        for layer, rows_of_view in captured.items():
            for view, rows in rows_of_view.items():
                finite = rows.isfinite().all(dim=1)
                if not finite.all():
                    raise NonFiniteFeatures(layer, images_done + int(finite.int().argmin()))
                try:
                    writers[layer, view].append(rows.numpy())
                except InputError as error:
                    raise InputError(f"layer {layer!r}: {error}") from error
        images_done += len(batch)
    if not images_done:
        raise InputError("no images to collect features of")
    return {key: writer.finish() for key, writer in writers.items()}
