"""The Gram matrix of each layer and view: all that the measures need of the features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ddrscope.analysis.input_rows import InputRows
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.embedding.gram import gram_matrix
from ddrscope.errors import InputError
from ddrscope.features import NonFiniteFeatures, choose_batch, collect_features
from ddrscope.io.files import atomic_write
from ddrscope.networks import Network


@dataclass(frozen=True)
class LayerGram:
    """The centred Gram matrix of one layer in one view. Pooled features are standardized per column.

    Args:
        layer: Name of the layer.
        view: ``flattened`` or ``pooled``.
        features: Number of features.
        value: The matrix, shape (n, n).
    """

    layer: str
    view: str
    features: int
    value: np.ndarray


def network_grams(
    network: Network,
    layers: list[str],
    inputs: InputRows,
    settings: AnalysisSettings,
    folder: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> list[LayerGram]:
    """The Gram matrices of some layers in every view of the settings.

    Args:
        network: The network.
        layers: The layers, as `choose_layers` gives them.
        inputs: What enters the network.
        settings: Views and precision.
        folder: Where features that are too large for memory are kept in temporary files.
        step: Called after each batch with the number of its rows.

    Raises:
        InputError: A feature is NaN or infinite; names layer and image.
    """
    size = choose_batch(network.module, inputs.sample(), layers, run=network)
    try:
        features = collect_features(
            network.module,
            _counted(inputs.batches(size), step),
            layers,
            settings.views,
            run=network,
            precision=settings.precision,
            folder=folder,
        )
    except NonFiniteFeatures as error:
        row = inputs.rows[error.row]
        raise InputError(
            f"{network.name}, layer {error.layer}: the features of {row.image} under {row.group} are NaN or infinite: "
            "check the weights, or give `precision`=float32"
        ) from None
    grams = []
    for layer in layers:
        for view in settings.views:
            matrix = features.pop((layer, view))
            grams.append(LayerGram(layer, view, matrix.shape[1], gram_matrix(matrix, standardize=view == "pooled")))
    return grams


def pixel_grams(inputs: InputRows, views: Sequence[str]) -> list[LayerGram]:
    """The Gram matrices of the pixels themselves, as of a layer that changes nothing."""
    rows = np.stack([row.pixels for row in inputs.rows])
    matrices = {
        "flattened": rows.reshape(len(rows), -1),
        "pooled": np.concatenate([rows.mean(axis=(1, 2)), rows.std(axis=(1, 2))], axis=1),
    }
    return [
        LayerGram("pixels", view, matrices[view].shape[1], gram_matrix(matrices[view], standardize=view == "pooled"))
        for view in views
    ]


def save_grams(path: Path, grams: list[LayerGram]) -> None:
    """Write Gram matrices to a file."""
    arrays: dict[str, Any] = {f"value{index}": gram.value for index, gram in enumerate(grams)}
    names = np.array([(gram.layer, gram.view, str(gram.features)) for gram in grams])
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, names=names, **arrays)


def load_grams(path: Path) -> list[LayerGram]:
    """Read the Gram matrices that `save_grams` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return [
            LayerGram(str(layer), str(view), int(features), arrays[f"value{index}"])
            for index, (layer, view, features) in enumerate(arrays["names"])
        ]


def _counted(batches: Iterator[Tensor], step: Callable[[int], None]) -> Iterator[Tensor]:
    for batch in batches:
        yield batch
        step(len(batch))
