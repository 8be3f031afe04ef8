"""Figures of the paths that the levels of a degradation form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ddrscope.results.analysis import AnalysisData
from ddrscope.results.layers import in_view, views_of
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import OKABE_ITO, plain

# Labels that are nearer than this, as a share of the panel, are drawn as one.
_NEAR = 0.06


def path_figure(data: AnalysisData) -> Figure | None:
    """The path of each family at the last HR layer, a row for each; None if no family has two levels."""
    families = [path.family for path in data.networks[0].layers[-1].paths or ()] if data.networks else []
    if not families:
        return None
    views = views_of(data.networks[0].layers)
    rows = [(entry, family) for entry in data.networks for family in families]
    figure = Figure(figsize=(4.2 * len(views), 3.4 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(views), squeeze=False)
    for (entry, family), line in zip(rows, axes, strict=True):
        for view, panel in zip(views, line, strict=True):
            last = in_view(entry.layers, view)[-1]
            path = next(path for path in last.paths or () if path.family == family)
            draw_path(panel, np.array(path.centroids), path.levels, fontsize=10)
            panel.margins(0.15)
            panel.set_title(f"{plain(entry.name)}, {view}\nSpearman correlation {path.spearman}", fontsize=9)
            panel.set_xlabel("principal plane of the centroids, 1")
            panel.set_ylabel(f"{plain(family)}: 2")
    return figure


def draw_path(panel: Axes, points: np.ndarray, levels: Sequence[float], fontsize: float, markersize: float = 6) -> None:
    """Draw the (L, 2) centroids of a path as a line with its levels beside it."""
    panel.plot(points[:, 0], points[:, 1], color=OKABE_ITO[0], marker="o", markersize=markersize)
    _label_levels(panel, points, levels, fontsize)


def _label_levels(panel: Axes, points: np.ndarray, levels: Sequence[float], fontsize: float) -> None:
    """Write the levels beside their points; neighbours that are too near for two labels share one, as "0-5"."""
    # As on the panel, whose axes are scaled independently.
    scaled = points / (np.ptp(points, axis=0) + 1e-12)
    groups: list[list[int]] = []
    for index, point in enumerate(scaled):
        if groups and np.linalg.norm(point - scaled[groups[-1][-1]]) < _NEAR:
            groups[-1].append(index)
        else:
            groups.append([index])
    for group in groups:
        text = "\N{EN DASH}".join(f"{levels[index]:g}" for index in dict.fromkeys((group[0], group[-1])))
        place = tuple(points[group].mean(axis=0))
        panel.annotate(text, place, textcoords="offset points", xytext=(6, 5), fontsize=fontsize)
