"""Figures and page of a map of many points: density where points would hide each other."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ddrscope.viz.fonts import Figure
from ddrscope.viz.markup import filled, script, script_safe
from ddrscope.viz.style import group_style, number, plain
from ddrscope.viz.writing import write_page

if TYPE_CHECKING:
    from ddrscope.maps.result import MapResult

# From so many points on a figure shows density; at most so many cells along the longer side; the weight of a single point in a cell.
MANY, CELLS, FAINTEST = 5000, 300, 0.25
# Panels in a row, cells along the longer side of one, and the colour of what is not the group that a panel shows.
PANELS, PANEL_CELLS, OTHERS = 4, 140, "#b0b0b0"
# A figure's shorter side is at least this share of the longer.
FLATTEST = 0.4
# The page holds this many points at most, about 7 bytes each.
PAGE_POINTS, PAGE_SEED = 1_000_000, 0
QUANTA = 65535
WORDS = {
    "chi_pca": "CHI by group (PCA-50), all points",
    "degradation_share": "variance that follows the group",
    "content_share": "variance that follows the content",
    "interaction_share": "variance of their interaction",
    "knn_plane_sampled": "5-NN accuracy on the plane, sampled points",
    "knn_plane_placed": "5-NN accuracy on the plane, placed points",
}


def write_map(result: MapResult, folder: Path) -> Path:
    """Write ``figures/map.*``, ``figures/groups.*`` and ``map.html`` into ``folder``; return the page's path."""
    return write_page(
        folder, {"map": map_figure(result), "groups": groups_figure(result)}, map_html(result), "map.html"
    )


def map_figure(result: MapResult) -> Figure:
    """All points on one plane, coloured by group: marks, or the mixture of the groups' colours in each cell, darker where more lie."""
    _, sides = _box(result)
    figure = Figure(figsize=(7, 7 * sides[1] / sides[0] + 0.9), layout="constrained")
    panel = figure.subplots()
    _prepare(panel, result)
    if len(result.codes) < MANY:
        for code in range(len(result.groups)):
            _scatter(panel, result.xy[result.codes == code], *group_style(code))
    else:
        counts = np.stack([_counts(result, result.codes == code) for code in range(len(result.groups))])
        _show(panel, result, _mixture(counts))
    panel.set_title(_caption(result), fontsize=9)
    marks = [Line2D([], [], color=group_style(code)[0], marker=_marker(result, code), linestyle="", markersize=7, label=plain(name))
             for code, name in enumerate(result.groups)]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 5), frameon=False)
    return figure


def groups_figure(result: MapResult) -> Figure:
    """A panel for each group: where its points lie, over all points in grey."""
    count = len(result.groups)
    columns = min(count, PANELS)
    lines = -(-count // columns)
    _, sides = _box(result)
    figure = Figure(figsize=(3.1 * columns, (3.1 * sides[1] / sides[0] + 0.5) * lines + 0.4), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    few = len(result.codes) < MANY
    for code, (name, panel) in enumerate(zip(result.groups, axes, strict=False)):
        _prepare(panel, result)
        mine = result.codes == code
        color, marker = group_style(code)
        if few:
            _scatter(panel, result.xy[~mine], OTHERS, "o")
            _scatter(panel, result.xy[mine], color, marker)
        else:
            _show(panel, result, _tinted(_counts(result, ~mine, PANEL_CELLS), OTHERS, 0.35))
            _show(panel, result, _tinted(_counts(result, mine, PANEL_CELLS), color, 1))
        panel.set_title(f"{plain(name)}\nn = {mine.sum():,}", fontsize=9)
    for panel in axes[count:]:
        panel.axis("off")
    figure.suptitle(
        "grey: the other groups" + ("" if few else "; darker: more points in a cell (logarithmic)"), fontsize=9
    )
    return figure


def map_html(result: MapResult) -> str:
    """The page as text; it asks no network for anything."""
    data = result.data
    shown = np.arange(len(result.codes))
    notes = list(data["notes"])
    if len(shown) > PAGE_POINTS:
        shown = np.sort(np.random.default_rng(PAGE_SEED).choice(len(shown), PAGE_POINTS, replace=False))
        notes.append(
            f"This page shows {PAGE_POINTS:,} of the {len(result.codes):,} points, drawn at random; map.parquet holds all."
        )
    return filled(
        "points",
        data["manifest"],
        script=script("points"),
        payload=script_safe(_payload(result, shown)),
        summary=html.escape(_summary(data)),
        table=_table(data),
        groups=_groups_table(data),
        remarks="".join(f"<li>{html.escape(note)}</li>" for note in notes)
        or "<li>Nothing was left out or adapted.</li>",
    )


def _payload(result: MapResult, shown: NDArray[np.integer]) -> dict[str, Any]:
    """Places as 16-bit numbers across a square, groups as bytes, which are sampled as bits; names of the sampled alone."""
    low, sides = _box(result)
    steps = (
        np.rint((result.xy[shown] - (low + sides / 2)) / sides.max() * QUANTA + QUANTA / 2)
        .clip(0, QUANTA)
        .astype("<u2")
    )
    sampled = result.sampled()
    names = [name for name, kept in zip(result.names, np.isin(np.flatnonzero(sampled), shown), strict=True) if kept]
    return {
        "x": _base64(steps[:, 0]), "y": _base64(QUANTA - steps[:, 1]), "codes": _base64(result.codes[shown].astype(np.uint8)),
        "sampled": _base64(np.packbits(sampled[shown], bitorder="little")), "names": names,
        "rows": None if len(shown) == len(result.codes) else _base64(shown.astype("<u4")), "count": len(shown),
        "groups": [{"name": group["name"], "points": group["points"], "color": group_style(code)[0]}
                   for code, group in enumerate(result.data["groups"])],
    }  # fmt: skip


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _box(result: MapResult) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower left corner (2,) and sides (2,) of what is drawn: all points with a little room, not too flat."""
    low, high = result.xy.min(axis=0).astype(float), result.xy.max(axis=0).astype(float)
    longest = float((high - low).max()) * 1.04 or 1.0
    sides = np.maximum((high - low) + 0.04 * longest, FLATTEST * longest)
    return (low + high - sides) / 2, sides


def _counts(result: MapResult, chosen: NDArray[np.bool_], cells: int = CELLS) -> NDArray[np.float64]:
    """Points in each cell (h, w), from the bottom up."""
    low, sides = _box(result)
    # Where points are few, so are cells: single points must be seen.
    most = min(cells, int(np.sqrt(len(result.codes))))
    x, y = (max(1, round(most * side / sides.max())) for side in sides)
    high = low + sides
    points = result.xy[chosen]
    return np.histogram2d(points[:, 1], points[:, 0], bins=(y, x), range=[(low[1], high[1]), (low[0], high[0])])[0]


def _strength(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for an empty cell, else `FAINTEST` to 1 by the logarithm of its points; the fullest thousandth is 1."""
    filled = counts[counts > 0]
    most = max(float(np.quantile(filled, 0.999)), 2.0) if len(filled) else 2.0
    return np.where(counts > 0, FAINTEST + (1 - FAINTEST) * np.minimum(np.log(counts.clip(min=1)) / np.log(most), 1), 0)


def _mixture(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts (k, h, w) as an image (h, w, 4)."""
    total = counts.sum(axis=0)
    colors = np.array([to_rgb(group_style(code)[0]) for code in range(len(counts))])
    mixed = np.einsum("khw,kc->hwc", counts, colors) / np.maximum(total, 1)[..., None]
    return np.concatenate([mixed, _strength(total)[..., None]], axis=2)


def _tinted(counts: NDArray[np.float64], color: str, most: float) -> NDArray[np.float64]:
    image = np.empty((*counts.shape, 4))
    image[..., :3], image[..., 3] = to_rgb(color), most * _strength(counts)
    return image


def _prepare(panel: Axes, result: MapResult) -> None:
    low, sides = _box(result)
    panel.set(xlim=(low[0], low[0] + sides[0]), ylim=(low[1], low[1] + sides[1]), xticks=[], yticks=[])
    panel.set_box_aspect(sides[1] / sides[0])


def _scatter(panel: Axes, points: NDArray[np.float32], color: str, marker: str) -> None:
    panel.scatter(
        points[:, 0], points[:, 1], s=12, c=color, marker=marker, alpha=0.8, linewidths=0.2, edgecolors="white"
    )


def _show(panel: Axes, result: MapResult, image: NDArray[np.float64]) -> None:
    low, sides = _box(result)
    extent = (low[0], low[0] + sides[0], low[1], low[1] + sides[1])
    panel.imshow(image, origin="lower", extent=extent, interpolation="nearest", aspect="auto")


def _marker(result: MapResult, code: int) -> str:
    return group_style(code)[1] if len(result.codes) < MANY else "s"


def _caption(result: MapResult) -> str:
    data = result.data
    sampled = sum(group["sampled"] for group in data["groups"])
    chi = number(data["measures"]["chi_pca"])
    return f"t-SNE of {sampled:,} of {data['points']:,} points, the rest placed; CHI by group (PCA-50) {chi}"


def _summary(data: dict[str, Any]) -> str:
    sampled = sum(group["sampled"] for group in data["groups"])
    return (
        f"{data['points']:,} points of {len(data['groups'])} groups, {data['features']} features each. "
        f"t-SNE (perplexity {data['perplexity']:g}) saw {sampled:,} of them, "
        "equally many of each group where there are as many; each other point was placed on that plane by itself."
    )


def _table(data: dict[str, Any]) -> str:
    rows = [(words, data["measures"][key]) for key, words in WORDS.items() if key in data["measures"]]
    return "".join(f"<tr><td>{html.escape(words)}</td><td>{number(value)}</td></tr>" for words, value in rows)


def _groups_table(data: dict[str, Any]) -> str:
    rows = [(html.escape(group["name"]), group["points"], group["sampled"]) for group in data["groups"]]
    return "".join(f"<tr><td>{name}</td><td>{points:,}</td><td>{sampled:,}</td></tr>" for name, points, sampled in rows)
