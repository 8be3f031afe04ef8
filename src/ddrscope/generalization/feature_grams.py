"""The Gram matrix of a layer's features for a set of patches, without holding the features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.embedding.gram import NonFiniteRow, gram_matrix
from ddrscope.errors import InputError
from ddrscope.features import Precision, collect_features
from ddrscope.features.streaming import HasTrunk, stream_last_hr_layer
from ddrscope.networks import Network

BATCH = 16


def feature_gram(
    network: Network,
    layer: str,
    patches: NDArray[np.float32],
    precision: Precision = "auto",
    folder: Path | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """The centred Gram matrix of the flattened features of a layer.

    The last HR layer of a network with a trunk is streamed, a few rows at a time. The features of any other layer go to a
    temporary file.

    Args:
        network: The network.
        layer: Name of the layer.
        patches: Inputs (N, H, W, C) in 0..1.
        precision: Precision of the network.
        folder: Folder for the temporary file. Default: the system's.
        advance: Called with the number of patches that the network has processed since the last call.

    Returns:
        The inner products (N, N) of the centred features.

    Raises:
        InputError: A feature is NaN or infinite.
    """
    batches = _batches(patches, advance)
    if layer == network.last_hr_layer and isinstance(network.module, HasTrunk) and network.run is None:
        gram = np.zeros((len(patches), len(patches)))
        try:
            for block in stream_last_hr_layer(network.module, batches, precision):
                gram += gram_matrix(block, products=np.float32)
        except NonFiniteRow as error:
            raise InputError(
                f"layer {layer!r}: the features of patch {error.row} are not finite; check the network's weights, or run it in float32"
            ) from None
        return gram
    features = collect_features(
        network.module,
        batches,
        [layer],
        ("flattened",),
        run=network.run,
        precision=precision,
        folder=folder,
        in_memory_bytes=0,
    )
    return gram_matrix(features[layer, "flattened"], products=np.float32)


def _batches(patches: NDArray[np.float32], advance: Callable[[int], None]) -> Iterator[Tensor]:
    for start in range(0, len(patches), BATCH):
        batch = patches[start : start + BATCH]
        yield torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2)
        advance(len(batch))
