"""The figure of the paper: t-SNE planes, a row for each network, deeper layers to the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.errors import InputError
from ddrscope.results.analysis import AnalysisData
from ddrscope.results.layers import LayerMeasures, in_view
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import group_style, plain

COLUMNS = 4


def grid_figure(data: AnalysisData, view: str | None = None) -> Figure:
    """Layers by networks, points coloured by degradation, CHI by degradation above each plane.

    Args:
        data: The result.
        view: ``flattened`` or ``pooled``; None takes the first one.

    Returns:
        The figure, with at most four layers of each network, evenly spaced, the last HR layer at the right.

    Raises:
        InputError: The analysis has no networks, only checkpoints.
    """
    if not data.networks:
        raise InputError("the analysis has no networks, only checkpoints, so there are no t-SNE planes")
    view = view or data.networks[0].layers[0].view
    rows = [_spread(in_view(entry.layers, view)) for entry in data.networks]
    columns = max(map(len, rows))
    figure = Figure(figsize=(3.1 * columns + 0.4, 3.3 * len(rows) + 1.0), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    planes = data.embedding[(data.embedding["view"] == view) & (data.embedding["control"] == "")]
    planes = planes[planes["seed"] == planes["seed"].min()]
    for entry, layers, line in zip(data.networks, rows, axes, strict=True):
        for panel, layer in zip(line, layers, strict=False):
            points = planes[(planes["network"] == entry.name) & (planes["layer"] == layer.layer)]
            _draw_plane(panel, points, data.groups)
            last = " (last HR layer)" if layer is layers[-1] else ""
            panel.set_title(f"{plain(layer.layer)}{last}\nCHI {layer.chi_pca}", fontsize=9)
        for panel in line[len(layers) :]:
            panel.axis("off")
        line[0].set_ylabel(_wrapped(entry.name), fontsize=11, fontweight="bold")
    figure.suptitle(
        f"t-SNE of {view} features; CHI by degradation on PCA-50 [95 %]; n = {rows[0][0].n} "
        f"({data.images} images of {data.photos} photographs)",
        fontsize=10,
    )
    figure.legend(
        handles=_legend(data.groups), loc="outside lower center", ncols=min(len(data.groups), 6), frameon=False
    )
    return figure


def _draw_plane(panel: Axes, points: pd.DataFrame, groups: Sequence[str]) -> None:
    for index, group in enumerate(groups):
        color, marker = group_style(index)
        chosen = points[points["degradation"] == group]
        panel.scatter(
            chosen["x"], chosen["y"], s=20, c=color, marker=marker, alpha=0.8, linewidths=0.3, edgecolors="white"
        )
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_box_aspect(1)


def _legend(groups: Sequence[str]) -> list[Line2D]:
    styles = [group_style(index) for index in range(len(groups))]
    return [
        Line2D([], [], color=color, marker=marker, linestyle="", markersize=7, label=plain(group))
        for group, (color, marker) in zip(groups, styles, strict=True)
    ]


def _spread(layers: Sequence[LayerMeasures]) -> list[LayerMeasures]:
    """At most `COLUMNS` layers, evenly spaced, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(COLUMNS, len(layers))).round().astype(int))
    return [layers[index] for index in chosen]


def _wrapped(name: str, width: int = 24) -> str:
    return "\n".join(plain(name[start : start + width]) for start in range(0, len(name), width))
