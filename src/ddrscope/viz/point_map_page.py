"""The page of a map of many points: a self-contained HTML page that draws the points itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ddrscope.metrics.estimate import format_number
from ddrscope.results.maps import MapData
from ddrscope.viz.markup import script, script_safe
from ddrscope.viz.point_map_figures import bounding_box, groups_figure, map_figure
from ddrscope.viz.style import group_style
from ddrscope.viz.templates import render
from ddrscope.viz.writing import write_page

# The largest number of points in the page, of 5 bytes each before encoding.
_PAGE_POINTS, _PAGE_SEED = 1_000_000, 0
# Positions are stored as 16-bit integers.
_MAX_POSITION = 65535
_MEASURES = {
    "chi_pca": "CHI by group (PCA-50), all points",
    "degradation_share": "degradation share of the variance",
    "content_share": "content share of the variance",
    "interaction_share": "interaction share of the variance",
    "knn_plane_sampled": "5-NN accuracy on the plane, sampled points",
    "knn_plane_placed": "5-NN accuracy on the plane, placed points",
}


def write_map(result: MapData, folder: Path) -> Path:
    """Write ``figures/`` (PNG and PDF) and ``map.html`` into a folder; returns the path of the page."""
    figures = {"map": map_figure(result), "groups": groups_figure(result)}
    return write_page(folder, figures, map_html(result), "map.html")


def map_html(result: MapData) -> str:
    """The page as text."""
    shown = np.arange(len(result))
    notes = list(result.notes)
    if len(shown) > _PAGE_POINTS:
        shown = np.sort(np.random.default_rng(_PAGE_SEED).choice(len(shown), _PAGE_POINTS, replace=False))
        notes.append(
            f"This page shows {_PAGE_POINTS:,} of {len(result):,} points, chosen at random; map.parquet holds all."
        )
    measures = result.measures.to_json()
    return render(
        "map.html",
        result.manifest,
        scripts=True,
        result=result,
        measures=[(text, format_number(measures[key])) for key, text in _MEASURES.items() if key in measures],
        perplexity=format_number(result.perplexity),
        notes=notes,
        # JSON of `script_safe` and the package's own script need no escaping.
        payload=Markup(script_safe(_payload(result, shown))),
        script=Markup(script("point_map")),
    )


def _payload(result: MapData, shown: NDArray[np.integer]) -> dict[str, Any]:
    """What the script of the page reads: positions, groups, which points are sampled, and the names of these."""
    low, sides = bounding_box(result)
    steps = (result.xy[shown] - (low + sides / 2)) / sides.max() * _MAX_POSITION + _MAX_POSITION / 2
    positions = np.rint(steps).clip(0, _MAX_POSITION).astype("<u2")
    sampled = np.flatnonzero(result.sampled)
    names = [name for name, kept in zip(result.sampled_names, np.isin(sampled, shown), strict=True) if kept]
    return {
        "x": _base64(positions[:, 0]),
        "y": _base64(_MAX_POSITION - positions[:, 1]),
        "codes": _base64(result.codes[shown]),
        "sampled": _base64(np.packbits(result.sampled[shown], bitorder="little")),
        "names": names,
        "rows": None if len(shown) == len(result) else _base64(shown.astype("<u4")),
        "count": len(shown),
        "groups": [
            {"name": group.name, "points": group.points, "color": group_style(code)[0]}
            for code, group in enumerate(result.groups)
        ],
    }


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
