"""What the figures of a study share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.study import StudyData
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import CONTROL_COLOR, MEASURE_NAMES, OKABE_ITO, group_style

VIEWS = ("flattened", "pooled")
SHARE_LABEL = MEASURE_NAMES["degradation_share"]
DEGRADATION_COLOR, CONTENT_COLOR = OKABE_ITO[1], OKABE_ITO[0]


@dataclass(frozen=True)
class Mark:
    """How the values of one kind are drawn, and their name in the legend."""

    label: str
    color: str
    marker: str
    dashes: Literal["-", "--"] = "-"
    fill: Literal["full", "none"] = "full"

    def handle(self, line: bool = True) -> Line2D:
        """Its line in a legend, with or without the line itself."""
        return Line2D(
            [],
            [],
            color=self.color,
            marker=self.marker,
            linestyle=self.dashes if line else "",
            fillstyle=self.fill,
            label=self.label,
        )


WITH_RESIDUAL = Mark("with global residual", DEGRADATION_COLOR, "o")
WITHOUT_RESIDUAL = Mark("without", CONTENT_COLOR, "s")
RANDOM_WEIGHTS = Mark("random weights", CONTROL_COLOR, "", "--")


def seeds_of(data: StudyData) -> list[str]:
    """The endings of the names of networks: that of the bundled ones, then of each seed."""
    seeds = sorted(seed for seed in set(data.evidence.layers.seed) if seed != "bundled")
    return ["", *(f" seed {seed}" for seed in seeds)]


def seed_labels(seeds: Sequence[str]) -> list[str]:
    """The seeds as labels of an axis."""
    return [seed.strip() or "bundled" for seed in seeds]


def last_layers(data: StudyData) -> pd.DataFrame:
    """The rows of `Evidence.layers` that are last HR layers."""
    return data.evidence.layers[data.evidence.layers["last"]]


def rows_of(table: pd.DataFrame, network: str, view: str, control: str = "") -> pd.DataFrame:
    """The rows of a network, or of one of its controls, in one view."""
    rows = table[(table.network == network) & (table["view"] == view)]
    return rows[rows.control == control] if "control" in rows else rows


def estimate_of(table: pd.DataFrame, network: str, view: str, measure: str, control: str = "") -> Estimate:
    """A measure in the first of those rows."""
    return Estimate.from_columns(
        cast(dict[str, Any], rows_of(table, network, view, control).iloc[0].to_dict()), measure
    )


def draw_estimates(panel: Axes, xs: Sequence[float] | np.ndarray, estimates: Sequence[Estimate], mark: Mark) -> None:
    """Draw estimates as points with their intervals."""
    values, reach = _with_reach(estimates)
    panel.errorbar(
        xs, values, reach, fmt=mark.marker, color=mark.color, markersize=6, fillstyle=mark.fill, capsize=2, lw=1
    )
    panel.axhline(0, color="#cccccc", lw=0.8, zorder=0)


def draw_curve(panel: Axes, rows: pd.DataFrame, across: str, measure: str, mark: Mark, bold: bool = False) -> None:
    """Draw a measure across a column; with its interval where it is bold or runs over steps."""
    width = 2 if bold else 0.9
    panel.plot(rows[across], rows[measure], mark.dashes, color=mark.color, marker=mark.marker, markersize=3, lw=width)
    if f"{measure}_low" in rows and (bold or across == "step"):
        low, high = rows[f"{measure}_low"], rows[f"{measure}_high"]
        panel.fill_between(rows[across], low, high, color=mark.color, alpha=0.15, lw=0)


def draw_plane(panel: Axes, plane: pd.DataFrame, column: str, legend: bool) -> None:
    """Draw a t-SNE plane, coloured by a column."""
    for index, group in enumerate(dict.fromkeys(plane[column])):
        color, marker = group_style(index)
        points = plane[plane[column] == group]
        panel.scatter(
            points.x, points.y, s=18, c=color, marker=marker, alpha=0.8, linewidths=0.3, edgecolors="white", label=group
        )
    panel.set_xticks([])
    panel.set_yticks([])
    if legend:
        panel.legend(fontsize=8, frameon=False)


def draw_shares(panel: Axes, table: pd.DataFrame, network: str) -> None:
    """Draw degradation and photograph share of a network, of its random weights and of the pixels, in both views."""
    names = {"": "trained", "random_weights": "random weights", "pixels": "pixels"}
    lines = [(view, kind) for view in VIEWS for kind in names if len(rows_of(table, network, view, kind))]
    for mark, measure, offset in (
        (Mark("degradation share", DEGRADATION_COLOR, "o"), "degradation_share", -0.12),
        (Mark("photograph share", CONTENT_COLOR, "s"), "photo_share", 0.12),
    ):
        values, reach = _with_reach([estimate_of(table, network, view, measure, kind) for view, kind in lines])
        ys = np.arange(len(lines)) + offset
        panel.errorbar(values, ys, xerr=reach, fmt=mark.marker, color=mark.color, capsize=2, label=mark.label)
    panel.set_yticks(range(len(lines)), [f"{view}, {names[kind]}" for view, kind in lines], fontsize=8)
    panel.invert_yaxis()
    panel.axvline(0, color="#cccccc", lw=0.8, zorder=0)
    panel.set_xlabel("share of the variance")
    panel.legend(fontsize=8, frameon=False)


def finish(figure: Figure, marks: Sequence[Mark], lines: bool = True, note: str | None = None) -> Figure:
    """Add a legend below and a grid to a figure; returns it."""
    handles = [mark.handle(lines) for mark in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, title=note)
    for panel in figure.axes:
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def _with_reach(estimates: Sequence[Estimate]) -> tuple[np.ndarray, np.ndarray]:
    """The values, and how far their intervals reach down and up, shape (2, n)."""
    values, low, high = np.array([(each.value, each.low, each.high) for each in estimates]).reshape(-1, 3).T
    return values, np.abs(np.stack([values - low, high - values]))
