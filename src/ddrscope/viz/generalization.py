"""Figures and page of a generalization run: scores against level, the fitted densities, tables."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization.gaussian import GeneralizedGaussian
from ddrscope.viz.fonts import Figure
from ddrscope.viz.markup import filled, png_source
from ddrscope.viz.style import CONTROL_COLOR, group_style, number, plain, with_interval
from ddrscope.viz.writing import write_page

if TYPE_CHECKING:
    from ddrscope.generalization.result import GeneralizationResult

PAGE_DPI = 100
# Panels of the figure of densities in one row, and rows of it.
COLUMNS, SETS_DRAWN = 4, 8
UNITS = {"blur": "blur: sigma in HR pixels", "noise": "noise: sigma of 255", "jpeg": "JPEG quality"}


def srga_figure(result: GeneralizationResult) -> Figure:
    """Score against level, a panel for each degradation with two levels or more; all other sets side by side in the last panel."""
    networks = [one["name"] for one in result.data["networks"]]
    families, others = _families(result)
    panels = len(families) + bool(others)
    figure = Figure(figsize=(4.4 * max(1, panels) + 0.3 * len(others), 4.2), layout="constrained")
    widths = [1.0] * len(families) + [max(1.0, 0.12 * len(others))] * bool(others)
    axes = figure.subplots(1, max(1, panels), squeeze=False, sharey=True, width_ratios=widths or None)[0]
    for panel, (family, levels) in zip(axes, families.items(), strict=False):
        for index, network in enumerate(networks):
            _curve(panel, [result.score(network, name) for name in levels.values()], list(levels), index)
        panel.set_xlabel(UNITS.get(family, f"level of {family}"))
        names = list(levels.values())
        lowest, highest = (parse_degradation(name).steps[0].severity for name in (names[0], names[-1]))
        if lowest > highest:
            # Worse to the right, also where a lower level is the worse.
            panel.invert_xaxis()
    if others:
        for index, network in enumerate(networks):
            shift = (index - (len(networks) - 1) / 2) * 0.6 / len(networks)
            rows = [result.score(network, name) for name in others]
            color, marker = group_style(index)
            scores, low, high = _columns(rows)
            reach = np.stack([scores - low, high - scores]).clip(0)
            axes[-1].errorbar(
                np.arange(len(others)) + shift, scores, reach, fmt=marker, color=color, capsize=2, markersize=5
            )
        axes[-1].set_xlim(-0.7, len(others) - 0.3)
        axes[-1].set_xticks(range(len(others)), [plain(name) for name in others], rotation=35, ha="right", fontsize=8)
    for panel in axes:
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("SRGA (0: as the reference)")
    handles = []
    for index, name in enumerate(networks):
        color, marker = group_style(index)
        handles.append(Line2D([], [], color=color, marker=marker, label=plain(name)))
    handles.append(Line2D([], [], color=CONTROL_COLOR, linestyle=":", label="floor: two halves of the reference"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    first = result.data["scores"][0]
    figure.suptitle(
        f"smaller generalizes better; bands: 95 % over {first['photos']} photographs, {first['patches']} patches a set; "
        f"reference {plain(result.data['reference'])}",
        fontsize=10,
    )
    return figure


def density_figure(result: GeneralizationResult, network: str) -> Figure:
    """The coefficients' histogram and the generalized Gaussian fitted to it, for the reference and sets spread over the scores."""
    rows = [row for row in result.data["scores"] if row["network"] == network]
    reference, rest = rows[0], sorted((row for row in rows[1:] if row["histogram"]), key=lambda row: row["srga"])
    spread = np.linspace(0, len(rest) - 1, min(len(rest), SETS_DRAWN - 1)).round().astype(int)
    shown = [reference, *(rest[index] for index in dict.fromkeys(spread.tolist()))]
    lines = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(3.2 * min(COLUMNS, len(shown)), 2.6 * lines + 0.5), layout="constrained")
    axes = figure.subplots(lines, min(COLUMNS, len(shown)), squeeze=False)
    for panel in axes.flat[len(shown) :]:
        panel.axis("off")
    for panel, row in zip(axes.flat, shown, strict=False):
        edges, counts = np.array(row["histogram"]["edges"]), np.array(row["histogram"]["counts"])
        lowest = counts[counts > 0].min() / 2
        panel.stairs(np.maximum(counts, lowest), edges, fill=True, color="#bbbbbb", baseline=lowest)
        x = np.linspace(edges[0], edges[-1], 401)
        density = GeneralizedGaussian(np.array(row["sigma"]), np.array(row["shape"])).density(x)
        panel.plot(x, density, color=group_style(1)[0], linewidth=1.5)
        panel.set_yscale("log")
        panel.set_ylim(lowest, counts.max() * 3)
        panel.set_title(f"{plain(row['set'])}: SRGA {number(row['srga'])}, shape {number(row['shape'])}", fontsize=9)
    figure.supxlabel("coefficient of a principal component", fontsize=9)
    figure.supylabel("density", fontsize=9)
    figure.suptitle(
        f"{plain(network)}: coefficients (grey) and the generalized Gaussian fitted to them (line)", fontsize=10
    )
    return figure


def write_generalization(result: GeneralizationResult, folder: Path) -> Path:
    """Write ``figures/`` (PNG and PDF) and ``report.html`` into ``folder``; return the page's path."""
    figures = generalization_figures(result)
    return write_page(folder, figures, _page(result, figures))


def generalization_html(result: GeneralizationResult) -> str:
    """The page as text."""
    return _page(result, generalization_figures(result))


def generalization_figures(result: GeneralizationResult) -> dict[str, Figure]:
    """Every figure of the report, by the name of its file."""
    densities = {
        f"densities-{index}": density_figure(result, one["name"]) for index, one in enumerate(result.data["networks"])
    }
    return {"srga": srga_figure(result), **densities}


def _families(result: GeneralizationResult) -> tuple[dict[str, dict[float, str]], list[str]]:
    """Degradations of one step with their levels and sets' names, and the names of all other sets but the reference."""
    names = [row["set"] for row in result.data["scores"] if row["network"] == result.data["networks"][0]["name"]]
    given = result.data["settings"]["sets"]
    found: dict[str, dict[float, str]] = {}
    for name in names[1:]:
        try:
            pipeline = None if name in given else parse_degradation(name)
        except InputError:
            pipeline = None
        if pipeline and pipeline.level is not None:
            found.setdefault(pipeline.family, {})[pipeline.level] = name
    families = {family: dict(sorted(levels.items())) for family, levels in found.items() if len(levels) > 1}
    drawn = {name for levels in families.values() for name in levels.values()}
    return families, [name for name in names[1:] if name not in drawn]


def _curve(panel: Axes, rows: list[dict[str, Any]], levels: list[float], index: int) -> None:
    color, marker = group_style(index)
    scores, low, high = _columns(rows)
    panel.plot(levels, scores, color=color, marker=marker, markersize=4)
    panel.fill_between(levels, low, high, color=color, alpha=0.15, linewidth=0)
    panel.axhline(rows[0]["floor"], color=color, linestyle=":", linewidth=1)


def _columns(rows: list[dict[str, Any]]) -> np.ndarray:
    """Scores and the ends of their intervals (3, rows), NaN where a set has none."""
    return np.array([[row[key] for row in rows] for key in ("srga", "srga_low", "srga_high")], dtype=float)


def _page(result: GeneralizationResult, figures: dict[str, Figure]) -> str:
    data = result.data
    first = data["scores"][0]
    sample = (
        f"{first['patches']} patches a set of {first['photos']} photographs, reference {data['reference']}, "
        f"layer {first['layer']}, scale x{first['scale']}."
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in data["notes"])
    skipped = "".join(f"<li>{html.escape(one['path'])}: {html.escape(one['reason'])}</li>" for one in data["skipped"])
    return filled(
        "generalization",
        data["manifest"],
        sample=html.escape(sample),
        ranking="".join(map(_ranking_row, data["ranking"])),
        correlations="".join(_correlation(name, found) for name, found in data["srga_and_psnr"].items()),
        figures="\n".join(_image(name, figure) for name, figure in figures.items()),
        scores="".join(map(_score_row, data["scores"])),
        remarks="".join(
            f"<h2>{title}</h2><ul>{items}</ul>" for title, items in (("Notes", notes), ("Left out", skipped)) if items
        ),
    )


def _ranking_row(row: dict[str, Any]) -> str:
    if row["apart"] is None:
        said = "–"
    else:
        said = f"{with_interval(row, 'difference')}: " + (
            "worse than the one above" if row["apart"] else "cannot be told apart"
        )
    cells = (row["place"], row["network"], with_interval(row, "srga"), said)
    return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _correlation(name: str, found: dict[str, Any]) -> str:
    return f"<li>{html.escape(name)}: {number(found['spearman'])} over {html.escape(str(found['sets']))} sets</li>"


def _score_row(row: dict[str, Any]) -> str:
    cells = (
        row["network"], row["set"], with_interval(row, "srga"),
        row["error"] or ("" if row["distinguishable"] else "not distinguishable from the reference"),
        number(row["floor"]), number(row["sigma"]), number(row["shape"]), number(row["psnr"]), row["patches"], row["photos"],
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _image(name: str, figure: Figure) -> str:
    return f'<img class="wide" alt="Figure: {html.escape(name)}" src="{png_source(figure, PAGE_DPI)}">'
