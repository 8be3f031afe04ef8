"""Variance shares and paths of levels of a network, without what `ddrscope.analyze` computes beside them.

The numbers are those of `ddrscope.analyze`; t-SNE planes, permutation tests and random weights are left out, which take most of its time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.analysis.grams import LayerGram, network_grams, pixel_grams
from ddrscope.analysis.input_rows import InputRows
from ddrscope.analysis.layers import COMPONENTS, level_path
from ddrscope.analysis.read_inputs import read_inputs
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.embedding.pca import pca_scores
from ddrscope.metrics.class_share import class_share
from ddrscope.metrics.variance_shares import variance_shares
from ddrscope.networks import Network


def inputs_of(
    network: Network, images: str, degradations: Sequence[str], **options: Any
) -> tuple[InputRows, AnalysisSettings]:
    """The images of a folder, each one photograph, as they enter a network; ``options`` are those of `AnalysisSettings`."""
    settings = AnalysisSettings(
        networks=(network.name,),
        images=(images,),
        degradations=tuple(degradations),
        photo_from="name",
        precision="float32",
        device="cpu",
        **options,
    )
    return read_inputs(settings, network.scale, network.channels), settings


def measured_layers(
    network: Network, layers: Sequence[str], inputs: InputRows, settings: AnalysisSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shares and paths of some layers of a network, and of the pixels that enter it.

    Args:
        network: The network.
        layers: Its layers in forward order.
        inputs: What enters it.
        settings: As `inputs_of` returns them.

    Returns:
        Rows as in `Evidence.layers` of a study, with the shares only, and as in `Evidence.paths`.
    """
    with tempfile.TemporaryDirectory() as folder:
        grams = network_grams(network, list(layers), inputs, settings, Path(folder))
    shares, paths = [], []
    for control, of in (("", grams), ("pixels", pixel_grams(inputs, settings.views))):
        for gram in of:
            head = {
                "network": network.name,
                "control": control,
                "layer": gram.layer,
                "view": gram.view,
                "n": len(inputs.rows),
            }
            # As `ddrscope.analyze` has it: the last of L layers is at depth 1.
            depth = 1.0 if control else (list(layers).index(gram.layer) + 1) / len(layers)
            shares.append(head | {"depth": depth, "last": depth == 1.0} | _shares(gram, inputs, settings))
            if inputs.levels():
                scores = pca_scores(gram.value, COMPONENTS)
                paths += [
                    head | level_path(family, levels, scores, inputs.design).to_json()
                    for family, levels in inputs.levels().items()
                ]
    return pd.DataFrame(shares), pd.DataFrame(paths)


def _shares(gram: LayerGram, inputs: InputRows, settings: AnalysisSettings) -> dict[str, float]:
    design = inputs.design
    shares = variance_shares(gram.value, design)
    columns = shares.degradation.to_columns("degradation_share") | shares.content.to_columns("content_share")
    if settings.content == "folder" and design.folders is not None:
        columns |= class_share(gram.value, design.photos, design.folders).to_columns("class_share")
    return columns


def append_rows(file: Path, table: pd.DataFrame) -> None:
    """Append rows to a file of JSON lines."""
    with file.open("a") as stream:
        stream.write(table.to_json(orient="records", lines=True, double_precision=6))


def read_rows(file: Path) -> pd.DataFrame:
    """The rows in a file of JSON lines; none if there is no file."""
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return pd.DataFrame(rows)
