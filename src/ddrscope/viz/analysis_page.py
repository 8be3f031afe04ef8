"""The page: one HTML file that holds everything and asks no network for anything."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from ddrscope.viz.curves import depth_figure, path_figure, series_figure
from ddrscope.viz.embedding_grid import grid_figure
from ddrscope.viz.markup import filled, png_source, script, script_safe
from ddrscope.viz.style import CONTROL_COLOR, MARKERS, MEASURE_NAMES, OKABE_ITO, with_interval
from ddrscope.viz.writing import write_page

if TYPE_CHECKING:
    from ddrscope.analysis.result import AnalysisResult

PAGE_DPI = 110
# Plotly's names for the markers of the printed figures.
PLOTLY_MARKERS = {
    "o": "circle", "^": "triangle-up", "s": "square", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x", "*": "star",
}  # fmt: skip
ANSWER_WORDS = {"degradation": "degradation", "content": "content", "undecided": "undecided", "neither": "neither"}
TABLE_MEASURES = tuple(MEASURE_NAMES)
CAPTIONS = {
    "grid-flattened": "The paper's figure: each panel a layer, each point an image under a degradation (flattened features).",
    "grid-pooled": "The same for pooled features: mean and standard deviation of each channel.",
    "depth": "Measures against depth. Solid: the networks; dashed: the same graphs with random weights.",
    "path": "Where the levels of one degradation lie at the last HR layer, clean included where it has a level.",
    "series": "The last HR layer over your checkpoints.",
}


def write_report(result: AnalysisResult, folder: Path) -> Path:
    """Write ``figures/*.png``, ``figures/*.pdf`` and ``report.html`` into ``folder``; return the page's path."""
    figures = analysis_figures(result)
    return write_page(folder, figures, _page(result, figures))


def report_html(result: AnalysisResult) -> str:
    """The page as text, about 5 MB, most of it the plotting library."""
    return _page(result, analysis_figures(result))


def _page(result: AnalysisResult, figures: dict[str, Figure]) -> str:
    return filled(
        "page",
        result.data["manifest"],
        plotly=get_plotlyjs(),
        script=script("page"),
        payload=script_safe(_payload(result)),
        verdicts=_verdicts(result.data),
        figures="\n".join(_image(name, figure) for name, figure in figures.items()),
        table=_table(result.data),
        remarks=_remarks(result.data),
        content={"picture": "one group per image", "photo": "one group per photograph"}[result.data["content"]],
    )


def analysis_figures(result: AnalysisResult) -> dict[str, Figure]:
    """Every figure of the report, by the name of its file."""
    figures: dict[str, Figure | None] = {}
    entries = result.data["networks"]
    if entries:
        for view in dict.fromkeys(row["view"] for row in entries[0]["layers"]):
            figures[f"grid-{view}"] = grid_figure(result, view)
        figures["depth"] = depth_figure(result)
    figures["path"] = path_figure(result)
    figures["series"] = series_figure(result)
    return {name: figure for name, figure in figures.items() if figure is not None}


def _payload(result: AnalysisResult) -> dict[str, Any]:
    """What the page's script draws: measures, the planes of the first seed, the points, thumbnails."""
    data, embedding = result.data, result.embedding
    embedding = embedding[embedding["seed"] == embedding["seed"].min()] if len(embedding) else embedding
    planes: list[dict[str, Any]] = []
    points: list[list[Any]] = []
    known: dict[tuple[str, str], int] = {}
    for (network, control, layer, view), plane in embedding.groupby(
        ["network", "control", "layer", "view"], sort=False
    ):
        rows = []
        columns = zip(plane["picture"], plane["photo"], plane["degradation"], plane["level"], strict=True)
        for image, photo, degradation, level in columns:
            key = (image, degradation)
            if key not in known:
                known[key] = len(points)
                points.append([image, photo, degradation, None if pd.isna(level) else level])
            rows.append(known[key])
        xs, ys = ([round(float(value), 2) for value in plane[axis]] for axis in ("x", "y"))
        planes.append(
            {"network": network, "control": control, "layer": layer, "view": view, "rows": rows, "x": xs, "y": ys}
        )
    thumbnails = {
        f"{image}\n{degradation}": base64.b64encode(jpeg).decode()
        for image, degradation, jpeg in result.thumbnails[["picture", "degradation", "jpeg"]].itertuples(index=False)
    }
    kept = {key: data[key] for key in ("groups", "networks", "controls", "balanced")}
    style = {"colors": OKABE_ITO, "markers": [PLOTLY_MARKERS[marker] for marker in MARKERS], "control": CONTROL_COLOR}
    measures = (
        MEASURE_NAMES if data["balanced"] else {k: v for k, v in MEASURE_NAMES.items() if not k.endswith("share")}
    )
    return kept | {"planes": planes, "points": points, "thumbnails": thumbnails, "style": style, "measures": measures}


def _verdicts(data: dict[str, Any]) -> str:
    blocks = []
    for name in dict.fromkeys(verdict["network"] for verdict in data["verdicts"]):
        lines = [
            f'<p><span class="answer {html.escape(verdict["answer"])}">{html.escape(verdict["view"])}: '
            f"{ANSWER_WORDS[verdict['answer']]}</span> {html.escape(verdict['sentence'])}</p>"
            for verdict in data["verdicts"]
            if verdict["network"] == name
        ]
        blocks.append(f'<section class="verdict"><h2>{html.escape(name)}</h2>{"".join(lines)}</section>')
    if data["comparisons"]:
        lines = [f"<p>{html.escape(comparison['sentence'])}</p>" for comparison in data["comparisons"]]
        blocks.append(f'<section class="verdict"><h2>Side by side</h2>{"".join(lines)}</section>')
    return "\n".join(blocks)


def _image(name: str, figure: Figure) -> str:
    caption = CAPTIONS[name]
    folded = "" if name == "grid-pooled" else " open"
    return (
        f'<details class="figure"{folded}><summary>{caption}</summary>'
        f'<img alt="{caption}" src="{png_source(figure, PAGE_DPI)}"></details>'
    )


def _table(data: dict[str, Any]) -> str:
    measures = [m for m in TABLE_MEASURES if data["balanced"] or not m.endswith("share")]
    head = "".join(
        f"<th>{html.escape(title)}</th>"
        for title in ["network", "layer", "view", *(MEASURE_NAMES[m] for m in measures), "p-value", "n", "k"]
    )
    body = []
    for entry in [*data["networks"], *data["controls"]]:
        kind = entry.get("kind", "")
        for row in entry["layers"]:
            cells = [entry["name"], row["layer"], row["view"]]
            values = "".join(
                f'<td data-value="{_sort_key(row.get(m))}">{html.escape(with_interval(row, m))}</td>' for m in measures
            )
            p_value = (
                f'<td data-value="{_sort_key(row.get("p_value"))}">{html.escape(with_interval(row, "p_value"))}</td>'
            )
            text, counts = (
                "".join(f"<td>{html.escape(str(cell))}</td>" for cell in some) for some in (cells, (row["n"], row["k"]))
            )
            body.append(f'<tr class="{html.escape(kind or "asked")}">{text}{values}{p_value}{counts}</tr>')
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"


def _sort_key(value: float | None) -> str:
    return "" if value is None or value != value else repr(float(value))


def _remarks(data: dict[str, Any]) -> str:
    notes = list(data["notes"])
    for entry in data["networks"]:
        notes += [f"{entry['name']}: {note}" for note in entry["notes"]]
    notes += [f"Left out: {skipped['path']}: {skipped['reason']}" for skipped in data["skipped"]]
    return "".join(f"<li>{html.escape(note)}</li>" for note in notes) or "<li>Nothing was left out or adapted.</li>"
