"""The report of an analysis: one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from ddrscope.metrics.estimate import format_number
from ddrscope.results.analysis import AnalysisData
from ddrscope.results.layers import LayerMeasures, views_of
from ddrscope.viz.curves import depth_figure, series_figure
from ddrscope.viz.embedding_grid import grid_figure
from ddrscope.viz.level_paths import path_figure
from ddrscope.viz.markup import png_source, script, script_safe
from ddrscope.viz.style import CONTROL_COLOR, MARKERS, OKABE_ITO, measure_names
from ddrscope.viz.templates import render
from ddrscope.viz.writing import write_page

PAGE_DPI = 110
# What Plotly calls the markers of Matplotlib.
PLOTLY_MARKERS = {
    "o": "circle", "^": "triangle-up", "s": "square", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x", "*": "star",
}  # fmt: skip
CAPTIONS = {
    "grid-flattened": "t-SNE of flattened features: each panel is a layer, each point an image under a degradation.",
    "grid-pooled": "t-SNE of pooled features (mean and standard deviation of each channel).",
    "depth": "Measures against depth. Solid: the networks; dashed: the same networks with random weights.",
    "path": "The levels of each degradation at the last HR layer, clean included where it has a level.",
    "series": "Measures of the last HR layer over the checkpoints.",
}


def write_report(data: AnalysisData, folder: Path) -> Path:
    """Write ``figures/`` (PNG and PDF) and ``report.html`` into a folder; returns the path of the report."""
    figures = analysis_figures(data)
    return write_page(folder, figures, _page(data, figures))


def report_html(data: AnalysisData) -> str:
    """The report as text, about 5 MB, most of it the plotting library."""
    return _page(data, analysis_figures(data))


def analysis_figures(data: AnalysisData) -> dict[str, Figure]:
    """Every figure of the report, by the name of its file; `CAPTIONS` has their captions."""
    figures: dict[str, Figure | None] = {}
    if data.networks:
        for view in views_of(data.networks[0].layers):
            figures[f"grid-{view}"] = grid_figure(data, view)
        figures["depth"] = depth_figure(data)
    figures["path"] = path_figure(data)
    figures["series"] = series_figure(data)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _page(data: AnalysisData, figures: Mapping[str, Figure]) -> str:
    return render(
        "analysis.html",
        data.manifest,
        scripts=True,
        data=data,
        figures=[
            {"caption": CAPTIONS[name], "source": png_source(figure, PAGE_DPI), "open": name != "grid-pooled"}
            for name, figure in figures.items()
        ],
        measures=measure_names(data.balanced, data.content == "folder"),
        number=format_number,
        plotly=Markup(get_plotlyjs()),
        payload=Markup(script_safe(_payload(data))),
        script=Markup(script("analysis")),
    )


def _payload(data: AnalysisData) -> dict[str, Any]:
    """What the script of the page draws: measures, the planes of the first seed, points, thumbnails."""
    planes, points = _planes(data.embedding)
    thumbnails = {
        f"{image}\n{degradation}": base64.b64encode(jpeg).decode()
        for image, degradation, jpeg in data.thumbnails[["picture", "degradation", "jpeg"]].itertuples(index=False)
    }
    measures = measure_names(data.balanced, data.content == "folder")
    return {
        "groups": data.groups,
        "networks": [{"name": each.name, "layers": _layers(each.layers, measures)} for each in data.networks],
        "controls": [
            {"name": each.name, "kind": each.kind, "network": each.network, "layers": _layers(each.layers, measures)}
            for each in data.controls
        ],
        "balanced": data.balanced,
        "planes": planes,
        "points": points,
        "thumbnails": thumbnails,
        "style": {"colors": OKABE_ITO, "markers": [PLOTLY_MARKERS[each] for each in MARKERS], "control": CONTROL_COLOR},
        "measures": measures,
    }


def _layers(layers: Sequence[LayerMeasures], measures: Mapping[str, str]) -> list[dict[str, Any]]:
    """The layers with each measure as value, low, high and text."""
    rows = []
    for layer in layers:
        estimates = {name: getattr(layer, name) for name in measures}
        rows.append(
            {"layer": layer.layer, "view": layer.view, "depth": layer.depth, "n": layer.n, "k": layer.k}
            | {"measures": {name: [each.value, each.low, each.high, str(each)] for name, each in estimates.items()}}
        )
    return rows


def _planes(embedding: pd.DataFrame) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """The planes of the first seed, and the points: image, photograph, degradation and level, each once."""
    if len(embedding):
        embedding = embedding[embedding["seed"] == embedding["seed"].min()]
    planes: list[dict[str, Any]] = []
    points: list[list[Any]] = []
    indices: dict[tuple[str, str], int] = {}
    keys = ["network", "control", "layer", "view"]
    for (network, control, layer, view), plane in embedding.groupby(keys, sort=False):
        rows = []
        columns = zip(plane["picture"], plane["photo"], plane["degradation"], plane["level"], strict=True)
        for image, photo, degradation, level in columns:
            if (image, degradation) not in indices:
                indices[image, degradation] = len(points)
                points.append([image, photo, degradation, None if pd.isna(level) else level])
            rows.append(indices[image, degradation])
        xs, ys = ([round(float(value), 2) for value in plane[axis]] for axis in ("x", "y"))
        planes.append(
            {"network": network, "control": control, "layer": layer, "view": view, "rows": rows, "x": xs, "y": ys}
        )
    return planes, points
