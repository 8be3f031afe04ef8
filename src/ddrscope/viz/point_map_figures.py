"""Figures of a map of many points. Many points are shown as a density, since marks would hide each other."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ddrscope.metrics.estimate import format_number
from ddrscope.results.maps import MapData
from ddrscope.viz.fonts import Figure, plain
from ddrscope.viz.style import group_style

# With this many points or more, figures show the density.
_DENSITY_FROM = 5000
# Cells along the longer side of the density: of the whole figure, and of the panel of one group.
_CELLS, _PANEL_CELLS = 300, 140
# Opacity of a cell with a single point.
_MIN_OPACITY = 0.25
_PANEL_COLUMNS = 4
_OTHER_GROUPS = "#b0b0b0"
_OTHER_OPACITY = 0.35
# The shorter side of the plane is at least this share of the longer one.
_MIN_ASPECT = 0.4


def map_figure(result: MapData) -> Figure:
    """Plot all points on one plane: as marks, or as the mixture of the groups' colours in each cell."""
    _, sides = bounding_box(result)
    figure = Figure(figsize=(7, 7 * sides[1] / sides[0] + 0.9), layout="constrained")
    panel = figure.subplots()
    _prepare(panel, result)
    if _shows_density(result):
        counts = np.stack([_counts(result, result.codes == code) for code in range(len(result.groups))])
        _show(panel, result, _mixture(counts))
    else:
        for code in range(len(result.groups)):
            _scatter(panel, result.xy[result.codes == code], *group_style(code))
    chi = format_number(result.measures.chi_pca)
    panel.set_title(
        f"t-SNE of {result.sample_size:,} of {len(result):,} points, the others placed; CHI by group (PCA-50) {chi}",
        fontsize=9,
    )
    handles = _legend(result)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)
    return figure


def groups_figure(result: MapData) -> Figure:
    """Plot each group in a panel of its own, over all other points in grey."""
    count = len(result.groups)
    columns = min(count, _PANEL_COLUMNS)
    rows = -(-count // columns)
    _, sides = bounding_box(result)
    figure = Figure(figsize=(3.1 * columns, (3.1 * sides[1] / sides[0] + 0.5) * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for code, (group, panel) in enumerate(zip(result.groups, axes, strict=False)):
        _prepare(panel, result)
        members = result.codes == code
        color, marker = group_style(code)
        if _shows_density(result):
            others = _tinted(_counts(result, ~members, _PANEL_CELLS), _OTHER_GROUPS, _OTHER_OPACITY)
            _show(panel, result, others)
            _show(panel, result, _tinted(_counts(result, members, _PANEL_CELLS), color, 1))
        else:
            _scatter(panel, result.xy[~members], _OTHER_GROUPS, "o")
            _scatter(panel, result.xy[members], color, marker)
        panel.set_title(f"{plain(group.name)}\nn = {group.points:,}", fontsize=9)
    for panel in axes[count:]:
        panel.axis("off")
    density = "; darker: more points in a cell (logarithmic)" if _shows_density(result) else ""
    figure.suptitle(f"grey: the other groups{density}", fontsize=9)
    return figure


def bounding_box(result: MapData) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower left corner (2,) and sides (2,) of a box around all points, with a margin."""
    low, high = result.xy.min(axis=0).astype(float), result.xy.max(axis=0).astype(float)
    longest = float((high - low).max()) * 1.04 or 1.0
    sides = np.maximum((high - low) + 0.04 * longest, _MIN_ASPECT * longest)
    return (low + high - sides) / 2, sides


def _shows_density(result: MapData) -> bool:
    return len(result) >= _DENSITY_FROM


def _legend(result: MapData) -> list[Line2D]:
    handles = []
    for code, group in enumerate(result.groups):
        color, marker = group_style(code)
        marker = "s" if _shows_density(result) else marker
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="", markersize=7, label=plain(group.name)))
    return handles


def _counts(result: MapData, chosen: NDArray[np.bool_], cells: int = _CELLS) -> NDArray[np.float64]:
    """The number of chosen points in each cell (h, w), from the bottom up."""
    low, sides = bounding_box(result)
    # Fewer and larger cells for few points, so that single points can be seen.
    longest = min(cells, int(np.sqrt(len(result))))
    width, height = (max(1, round(longest * side / sides.max())) for side in sides)
    high = low + sides
    points = result.xy[chosen]
    ranges = [(low[1], high[1]), (low[0], high[0])]
    return np.histogram2d(points[:, 1], points[:, 0], bins=(height, width), range=ranges)[0]


def _opacity(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for an empty cell, else from `_MIN_OPACITY` to 1 by the logarithm of the count; the fullest 0.1 % of cells are 1."""
    filled = counts[counts > 0]
    most = max(float(np.quantile(filled, 0.999)), 2.0) if len(filled) else 2.0
    share = np.minimum(np.log(counts.clip(min=1)) / np.log(most), 1)
    return np.where(counts > 0, _MIN_OPACITY + (1 - _MIN_OPACITY) * share, 0)


def _mixture(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """An RGBA image (h, w, 4) of the counts (k, h, w) of all groups."""
    total = counts.sum(axis=0)
    colors = np.array([to_rgb(group_style(code)[0]) for code in range(len(counts))])
    mixed = np.einsum("khw,kc->hwc", counts, colors) / np.maximum(total, 1)[..., None]
    return np.concatenate([mixed, _opacity(total)[..., None]], axis=2)


def _tinted(counts: NDArray[np.float64], color: str, opacity: float) -> NDArray[np.float64]:
    """An RGBA image (h, w, 4) of the counts (h, w) of some points."""
    image = np.empty((*counts.shape, 4))
    image[..., :3], image[..., 3] = to_rgb(color), opacity * _opacity(counts)
    return image


def _prepare(panel: Axes, result: MapData) -> None:
    low, sides = bounding_box(result)
    panel.set(xlim=(low[0], low[0] + sides[0]), ylim=(low[1], low[1] + sides[1]), xticks=[], yticks=[])
    panel.set_box_aspect(sides[1] / sides[0])


def _scatter(panel: Axes, points: NDArray[np.float32], color: str, marker: str) -> None:
    panel.scatter(
        points[:, 0], points[:, 1], s=12, c=color, marker=marker, alpha=0.8, linewidths=0.2, edgecolors="white"
    )


def _show(panel: Axes, result: MapData, image: NDArray[np.float64]) -> None:
    low, sides = bounding_box(result)
    extent = (low[0], low[0] + sides[0], low[1], low[1] + sides[1])
    panel.imshow(image, origin="lower", extent=extent, interpolation="nearest", aspect="auto")
