"""From a network and a set of patches to the Gram matrix of one layer, without ever holding the features."""

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
from ddrscope.features.streaming import HasTrunk, last_hr_strips
from ddrscope.networks import Network

BATCH = 16


def patch_gram(
    network: Network,
    layer: str,
    patches: NDArray[np.float32],
    precision: Precision = "auto",
    folder: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """The centred Gram matrix (N, N) of the flattened features of ``layer`` for patches (N, H, W, C) in 0..1.

    The last HR layer of a network that has a trunk is computed strip by strip; any other layer lies in a temporary file in ``folder``
    meanwhile. ``step`` is called with the number of patches done. Raises `InputError` where a feature is NaN or infinite.
    """
    batches = _batches(patches, step)
    if layer == network.last_hr_layer and isinstance(network.module, HasTrunk) and network.run is None:
        gram = np.zeros((len(patches), len(patches)))
        try:
            for strip in last_hr_strips(network.module, batches, precision):
                gram += gram_matrix(strip, products=np.float32)
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


def _batches(patches: NDArray[np.float32], step: Callable[[int], None]) -> Iterator[Tensor]:
    for start in range(0, len(patches), BATCH):
        some = patches[start : start + BATCH]
        yield torch.from_numpy(np.ascontiguousarray(some)).permute(0, 3, 1, 2)
        step(len(some))
