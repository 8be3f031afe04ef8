"""Intermediate results on disk, so that an interrupted analysis continues where it stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.analysis.grams import LayerGram, load_grams, save_grams
from ddrscope.analysis.input_rows import InputRows
from ddrscope.analysis.layers import MeasuredLayer
from ddrscope.io.files import atomic_write
from ddrscope.networks import Network
from ddrscope.results.layers import LayerMeasures


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network, or the pixels that enter it, measured at every layer.

    Args:
        layers: The measures of each layer and view.
        shuffled: The same with shuffled labels.
        points: The points of the t-SNE planes: the columns of ``embedding.parquet`` but for ``network`` and
            ``control``.
        notes: How t-SNE was adapted to few points.
    """

    layers: tuple[LayerMeasures, ...]
    shuffled: tuple[LayerMeasures, ...]
    points: pd.DataFrame
    notes: tuple[str, ...]

    @classmethod
    def of(cls, measured: Sequence[MeasuredLayer], inputs: InputRows) -> MeasuredNetwork:
        """The measured layers of a network put together."""
        return cls(
            layers=tuple(layer.measures for layer in measured),
            shuffled=tuple(layer.shuffled for layer in measured),
            points=_points(measured, inputs.labels()),
            notes=tuple(sorted({layer.note for layer in measured if layer.note})),
        )


class Part:
    """The files of one network of an analysis: its Gram matrices while it is measured, then its measures and planes.

    Their names contain a hash of weights and inputs, so that files of other weights or images are not taken.

    Args:
        folder: The folder of intermediate results.
        name: Name of the part, unique in the analysis.
        network: The network.
        inputs: What enters it.
    """

    def __init__(self, folder: Path, name: str, network: Network, inputs: InputRows) -> None:
        key = blake2b(f"{network.sha256}|{inputs.sha256}".encode(), digest_size=8).hexdigest()
        self._measures, self._points, self._grams = (
            folder / f"{name}.{key}.{suffix}" for suffix in ("json", "parquet", "npz")
        )

    def load_grams(self) -> list[LayerGram] | None:
        """The Gram matrices; None if there are none."""
        return load_grams(self._grams) if self._grams.exists() else None

    def save_grams(self, grams: list[LayerGram]) -> None:
        """Keep the Gram matrices, so that the network need not run again."""
        save_grams(self._grams, grams)

    def load(self) -> MeasuredNetwork | None:
        """The measures and planes; None if they are not complete."""
        if not (self._measures.exists() and self._points.exists()):
            return None
        kept = json.loads(self._measures.read_text(encoding="utf-8"))
        layers, shuffled = (tuple(map(LayerMeasures.from_json, kept[key])) for key in ("layers", "shuffled"))
        return MeasuredNetwork(layers, shuffled, pd.read_parquet(self._points), tuple(kept["notes"]))

    def save(self, measured: MeasuredNetwork) -> None:
        """Keep the measures and planes, and delete the Gram matrices."""
        with atomic_write(self._points) as temporary:
            measured.points.to_parquet(temporary, index=False)
        content: dict[str, Any] = {
            "layers": [layer.to_json() for layer in measured.layers],
            "shuffled": [layer.to_json() for layer in measured.shuffled],
            "notes": measured.notes,
        }
        with atomic_write(self._measures) as temporary:
            # With NaN and infinity, unlike `write_json`: a resumed run must give the numbers of an uninterrupted one.
            temporary.write_text(json.dumps(content), encoding="utf-8")
        self._grams.unlink(missing_ok=True)


def _points(measured: Sequence[MeasuredLayer], labels: pd.DataFrame) -> pd.DataFrame:
    planes = [
        labels.assign(
            layer=layer.measures.layer,
            view=layer.measures.view,
            seed=seed,
            x=plane[:, 0].astype("float32"),
            y=plane[:, 1].astype("float32"),
        )
        for layer in measured
        for seed, plane in layer.planes.items()
    ]
    return (
        pd.concat(planes, ignore_index=True)
        if planes
        else labels.iloc[:0].assign(layer="", view="", seed=0, x=0.0, y=0.0)
    )
