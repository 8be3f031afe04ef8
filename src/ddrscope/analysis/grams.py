"""From a network and the rows of a study to one Gram matrix for each layer and view: all that the measures need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ddrscope.analysis.input_rows import Samples
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.embedding.gram import gram_matrix
from ddrscope.errors import InputError
from ddrscope.features import (
    LayerName,
    NonFiniteFeatures,
    choose_batch,
    collect_features,
    default_layers,
    resolve_layers,
)
from ddrscope.io.files import atomic_write
from ddrscope.networks import Network


@dataclass(frozen=True)
class LayerGram:
    """The centred Gram matrix ``value`` (N, N) of one layer in one view, of ``features`` features.

    Flattened features are taken as they are, pooled ones standardized per column.
    """

    layer: str
    view: str
    features: int
    value: np.ndarray


def choose_layers(network: Network, patterns: tuple[str, ...] | None, sample: Tensor) -> list[str]:
    """The layers to analyse, in forward order, the last HR layer at the end.

    ``patterns`` are layer texts or globs; None takes the layers the network declares, or those found for an unknown one.
    """
    declared, last = list(network.layers), network.last_hr_layer
    if last is None:
        found = default_layers(network.module, sample, network)
        declared, last = found.layers, found.last_hr_layer
    asked = list(patterns) if patterns is not None else declared
    layers = resolve_layers(network.module, [*asked, last], sample, network)
    return [*(layer for layer in layers if not _same(layer, last)), last]


def network_grams(
    network: Network,
    layers: list[str],
    samples: Samples,
    settings: AnalysisSettings,
    folder: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> list[LayerGram]:
    """The Gram matrices of ``layers`` in every view asked; ``step`` is called with the number of rows done after each batch.

    Features too large for memory lie in temporary files in ``folder``. Raises `InputError` naming layer and image where a
    feature is NaN or infinite.
    """
    size = choose_batch(network.module, samples.sample(), layers, run=network)
    try:
        features = collect_features(
            network.module,
            _counted(samples.batches(size), step),
            layers,
            settings.views,
            run=network,
            precision=settings.precision,
            folder=folder,
        )
    except NonFiniteFeatures as error:
        row = samples.rows[error.row]
        raise InputError(
            f"{network.name}, layer {error.layer}: the features of {row.image} under {row.group} are NaN or infinite: "
            "check the weights, or try --precision float32"
        ) from None
    grams = []
    for layer in layers:
        for view in settings.views:
            matrix = features.pop((layer, view))
            grams.append(LayerGram(layer, view, matrix.shape[1], gram_matrix(matrix, standardize=view == "pooled")))
    return grams


def pixel_grams(samples: Samples, views: tuple[str, ...]) -> list[LayerGram]:
    """The same for the pixels themselves: what a layer that does nothing would show."""
    rows = np.stack([row.pixels for row in samples.rows])
    matrices = {
        "flattened": rows.reshape(len(rows), -1),
        "pooled": np.concatenate([rows.mean(axis=(1, 2)), rows.std(axis=(1, 2))], axis=1),
    }
    return [
        LayerGram("pixels", view, matrices[view].shape[1], gram_matrix(matrices[view], standardize=view == "pooled"))
        for view in views
    ]


def save_grams(path: Path, grams: list[LayerGram]) -> None:
    """Keep Gram matrices, so that a resumed run need not run the network again."""
    arrays: dict[str, Any] = {f"value{index}": gram.value for index, gram in enumerate(grams)}
    names = np.array([(gram.layer, gram.view, str(gram.features)) for gram in grams])
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, names=names, **arrays)


def load_grams(path: Path) -> list[LayerGram]:
    """What `save_grams` kept."""
    with np.load(path, allow_pickle=False) as arrays:
        return [
            LayerGram(str(layer), str(view), int(features), arrays[f"value{index}"])
            for index, (layer, view, features) in enumerate(arrays["names"])
        ]


def _counted(batches: Iterator[Tensor], step: Callable[[int], None]) -> Iterator[Tensor]:
    for batch in batches:
        yield batch
        step(len(batch))


def _same(one: str, other: str) -> bool:
    return LayerName.parse(one) == LayerName.parse(other)
