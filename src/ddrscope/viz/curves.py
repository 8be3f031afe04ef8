"""Figures of measures: against depth, and over checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.analysis import AnalysisData
from ddrscope.results.layers import LayerMeasures, in_view, views_of
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import CONTROL_COLOR, MEASURE_NAMES, group_style, plain

# The measures that are drawn, with and without variance shares.
BALANCED_MEASURES = ("degradation_share", "content_share", "chi_pca")
UNBALANCED_MEASURES = ("chi_pca", "knn_accuracy")
# Labels of checkpoints on one axis, at most about so many.
_MAX_LABELS = 8


@dataclass(frozen=True)
class _Line:
    """How a curve is drawn."""

    color: str
    dashes: str = "-"
    marker: str = ""


_CONTROL = _Line(CONTROL_COLOR, "--")


def depth_figure(data: AnalysisData) -> Figure:
    """Measures against depth with 95 % bands: a column for each measure, a row for each view; random weights dashed."""
    measures, views = _measures(data), views_of(data.networks[0].layers)
    figure, axes = _panels(measures, views, 4.2, 3.3)
    for view, line in zip(views, axes, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            for control in data.controls:
                if control.kind == "random_weights":
                    layers = in_view(control.layers, view)
                    _draw_band(panel, [layer.depth for layer in layers], layers, measure, _CONTROL)
            for index, entry in enumerate(data.networks):
                layers = in_view(entry.layers, view)
                _draw_band(panel, [layer.depth for layer in layers], layers, measure, _network_line(index))
            _finish(panel, measure, f"{view} features")
            panel.set_xlabel("depth (1 = last HR layer)")
    _legend(figure, [entry.name for entry in data.networks], control=True)
    figure.suptitle(_sample_size(data), fontsize=10)
    return figure


def series_figure(data: AnalysisData) -> Figure | None:
    """Measures of the last HR layer over the checkpoints of trainings; None without checkpoints."""
    if not data.series:
        return None
    measures, views = _measures(data), views_of(data.series[0].checkpoints[0].layers)
    figure, axes = _panels(measures, views, 4.6, 3.6)
    labels = [plain(each.label) for each in max((series.checkpoints for series in data.series), key=len)]
    step = max(1, len(labels) // _MAX_LABELS)
    for view, line in zip(views, axes, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            for index, series in enumerate(data.series):
                layers = [layer for each in series.checkpoints for layer in in_view(each.layers, view)]
                _draw_band(panel, range(len(layers)), layers, measure, _network_line(index))
            _finish(panel, measure, f"{view} features, last HR layer")
            panel.set_xticks(range(0, len(labels), step), labels[::step], rotation=30, ha="right")
    _legend(figure, [series.name for series in data.series], control=False)
    figure.suptitle(_sample_size(data), fontsize=10)
    return figure


def _panels(measures: Sequence[str], views: Sequence[str], width: float, height: float) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width * len(measures), height * len(views) + 0.6), layout="constrained")
    return figure, figure.subplots(len(views), len(measures), squeeze=False)


def _measures(data: AnalysisData) -> tuple[str, ...]:
    if not data.balanced:
        return UNBALANCED_MEASURES
    return (
        (*BALANCED_MEASURES[:2], "class_share", *BALANCED_MEASURES[2:])
        if data.content == "folder"
        else BALANCED_MEASURES
    )


def _draw_band(panel: Axes, xs: Sequence[float], layers: Sequence[LayerMeasures], measure: str, line: _Line) -> None:
    estimates: list[Estimate] = [getattr(layer, measure) for layer in layers]
    values, low, high = np.array([(each.value, each.low, each.high) for each in estimates]).reshape(-1, 3).T
    panel.plot(xs, values, line.dashes, color=line.color, marker=line.marker, markersize=4)
    panel.fill_between(xs, low, high, color=line.color, alpha=0.2, linewidth=0)


def _finish(panel: Axes, measure: str, title: str) -> None:
    if measure.startswith("chi"):
        panel.set_yscale("log")
    panel.set_title(title, fontsize=9)
    panel.set_ylabel(MEASURE_NAMES[measure])
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _network_line(index: int) -> _Line:
    color, marker = group_style(index)
    return _Line(color, marker=marker)


def _legend(figure: Figure, names: Sequence[str], control: bool) -> None:
    handles = []
    for index, name in enumerate(names):
        line = _network_line(index)
        handles.append(Line2D([], [], color=line.color, marker=line.marker, label=plain(name)))
    if control:
        handles.append(Line2D([], [], color=CONTROL_COLOR, linestyle="--", label="random weights"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)


def _sample_size(data: AnalysisData) -> str:
    return f"bands: 95 % jackknife over {data.photos} photographs; {data.images} images, {len(data.groups)} groups"
