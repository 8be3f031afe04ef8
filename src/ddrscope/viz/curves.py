"""Figures of measures: against depth, along the levels of a degradation, over checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import CONTROL_COLOR, MEASURE_NAMES, OKABE_ITO, group_style, number, plain

if TYPE_CHECKING:
    from ddrscope.analysis.result import AnalysisResult

# What is drawn where shares exist, and where sets of different images leave only these.
BALANCED_MEASURES = ("degradation_share", "content_share", "chi_pca")
UNBALANCED_MEASURES = ("chi_pca", "knn_accuracy")


def depth_figure(result: AnalysisResult) -> Figure:
    """Measures against depth with 95 % bands, one column for each, one row for each view; random weights dashed in grey."""
    data = result.data
    measures = BALANCED_MEASURES if data["balanced"] else UNBALANCED_MEASURES
    views = _views(data)
    figure = Figure(figsize=(4.2 * len(measures), 3.3 * len(views) + 0.6), layout="constrained")
    axes = figure.subplots(len(views), len(measures), squeeze=False)
    for view, line in zip(views, axes, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            for control in data["controls"]:
                if control["kind"] == "random_weights":
                    _draw_band(panel, _rows(control, view), measure, "depth", CONTROL_COLOR, "--")
            for index, entry in enumerate(data["networks"]):
                _draw_band(panel, _rows(entry, view), measure, "depth", *_network_style(index))
            _finish(panel, measure, f"{view} features")
            panel.set_xlabel("depth (1 = last HR layer)")
    _network_legend(figure, [entry["name"] for entry in data["networks"]], control=True)
    figure.suptitle(_sample_size(data), fontsize=10)
    return figure


def path_figure(result: AnalysisResult) -> Figure | None:
    """The path that the levels of a degradation take at the last HR layer; None without two levels of one degradation."""
    data = result.data
    views = _views(data)
    families = (
        [path["family"] for path in data["networks"][0]["layers"][-1].get("paths", [])] if data["networks"] else []
    )
    if not families:
        return None
    lines = [(entry, family) for entry in data["networks"] for family in families]
    figure = Figure(figsize=(4.2 * len(views), 3.4 * len(lines)), layout="constrained")
    axes = figure.subplots(len(lines), len(views), squeeze=False)
    for (entry, family), line in zip(lines, axes, strict=True):
        for view, panel in zip(views, line, strict=True):
            last = _rows(entry, view)[-1]
            path = next(path for path in last["paths"] if path["family"] == family)
            _draw_path(panel, path)
            panel.set_title(
                f"{plain(entry['name'])}, {view}\nSpearman of distances {number(path['spearman'])} "
                f"[{number(path['spearman_low'])}, {number(path['spearman_high'])}]",
                fontsize=9,
            )
            panel.set_xlabel("principal plane of the centroids, 1")
            panel.set_ylabel(f"{plain(family)}: 2")
    return figure


def series_figure(result: AnalysisResult) -> Figure | None:
    """Measures of the last HR layer over a user's own checkpoints; None without a series."""
    data = result.data
    if not data["series"]:
        return None
    measures = BALANCED_MEASURES if data["balanced"] else UNBALANCED_MEASURES
    views = list(dict.fromkeys(row["view"] for row in data["series"][0]["checkpoints"][0]["layers"]))
    figure = Figure(figsize=(4.6 * len(measures), 3.6 * len(views) + 0.6), layout="constrained")
    axes = figure.subplots(len(views), len(measures), squeeze=False)
    longest = max((series["checkpoints"] for series in data["series"]), key=len)
    for view, line in zip(views, axes, strict=True):
        for measure, panel in zip(measures, line, strict=True):
            for index, series in enumerate(data["series"]):
                rows = [
                    row | {"checkpoint": position}
                    for position, checkpoint in enumerate(series["checkpoints"])
                    for row in checkpoint["layers"]
                    if row["view"] == view
                ]
                _draw_band(panel, rows, measure, "checkpoint", *_network_style(index))
            _finish(panel, measure, f"{view} features, last HR layer")
            step = max(1, len(longest) // 8)
            panel.set_xticks(
                range(0, len(longest), step), [plain(c["label"]) for c in longest[::step]], rotation=30, ha="right"
            )
    _network_legend(figure, [series["name"] for series in data["series"]], control=False)
    figure.suptitle(_sample_size(data), fontsize=10)
    return figure


def _draw_band(
    panel: Axes, rows: list[dict[str, Any]], measure: str, across: str, color: str, dashes: str, marker: str = ""
) -> None:
    x = [row[across] for row in rows]
    low, high = (np.array([row[f"{measure}_{end}"] for row in rows], dtype=float) for end in ("low", "high"))
    panel.plot(
        x, np.array([row[measure] for row in rows], dtype=float), dashes, color=color, marker=marker, markersize=4
    )
    panel.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


def _draw_path(panel: Axes, path: dict[str, Any]) -> None:
    points = np.array(path["centroids"])
    panel.plot(points[:, 0], points[:, 1], color=OKABE_ITO[0], marker="o")
    label_levels(panel, points, path["levels"], fontsize=10)
    panel.margins(0.15)


def label_levels(panel: Axes, points: np.ndarray, levels: Sequence[float], fontsize: float) -> None:
    """Write the levels beside the (L, 2) points of a path; neighbours too close for two labels share one, "0-5"."""
    on_panel = points / (np.ptp(points, axis=0) + 1e-12)  # as it looks: the axes are scaled apart
    groups: list[list[int]] = []
    for index, point in enumerate(on_panel):
        if groups and np.linalg.norm(point - on_panel[groups[-1][-1]]) < 0.06:
            groups[-1].append(index)
        else:
            groups.append([index])
    for group in groups:
        text = "\u2013".join(f"{levels[index]:g}" for index in dict.fromkeys((group[0], group[-1])))
        panel.annotate(
            text, tuple(points[group].mean(axis=0)), textcoords="offset points", xytext=(6, 5), fontsize=fontsize
        )


def _finish(panel: Axes, measure: str, title: str) -> None:
    if measure.startswith("chi"):
        panel.set_yscale("log")
    panel.set_title(title, fontsize=9)
    panel.set_ylabel(MEASURE_NAMES[measure])
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _network_style(index: int) -> tuple[str, str, str]:
    color, marker = group_style(index)
    return color, "-", marker


def _network_legend(figure: Figure, names: list[str], control: bool) -> None:
    handles = []
    for index, name in enumerate(names):
        color, _, marker = _network_style(index)
        handles.append(Line2D([], [], color=color, marker=marker, label=plain(name)))
    if control:
        handles.append(Line2D([], [], color=CONTROL_COLOR, linestyle="--", label="random weights"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)


def _rows(entry: dict[str, Any], view: str) -> list[dict[str, Any]]:
    return [row for row in entry["layers"] if row["view"] == view]


def _views(data: dict[str, Any]) -> list[str]:
    entries = data["networks"] or data["controls"]
    return list(dict.fromkeys(row["view"] for entry in entries for row in entry["layers"]))


def _sample_size(data: dict[str, Any]) -> str:
    return f"bands: 95 % jackknife over {data['photos']} photographs; {data['images']} images, {len(data['groups'])} groups"
