"""Figures of a generalization run: scores by level, and the fitted densities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.metrics.estimate import format_number
from ddrscope.metrics.generalized_gaussian import GeneralizedGaussian
from ddrscope.results.generalization import GeneralizationData, Score
from ddrscope.viz.fonts import Figure, plain
from ddrscope.viz.style import CONTROL_COLOR, group_style

AXIS_LABELS = {"blur": "blur: sigma in HR pixels", "noise": "noise: sigma of 255", "jpeg": "JPEG quality"}
# Panels in a row of the figure of densities, and the largest number of sets in it.
_COLUMNS, _MAX_SETS = 4, 8
# Inches that the title of the figure of scores needs.
_MIN_WIDTH = 8.8


def srga_figure(result: GeneralizationData) -> Figure:
    """Plot SRGA against the level, a panel for each family with two levels or more; other sets share the last panel."""
    networks = [network.name for network in result.networks]
    families, others = _families(result)
    panels = len(families) + bool(others)
    width = max(_MIN_WIDTH, 4.4 * panels + 0.3 * len(others))
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    widths = [1.0] * len(families) + [max(1.0, 0.12 * len(others))] * bool(others)
    axes = figure.subplots(1, max(1, panels), squeeze=False, sharey=True, width_ratios=widths or None)[0]
    for panel, (family, levels) in zip(axes, families.items(), strict=False):
        for index, network in enumerate(networks):
            _plot_levels(panel, levels, [result.score(network, name) for name in levels.values()], index)
        panel.set_xlabel(AXIS_LABELS.get(family, f"level of {family}"))
        if _severity_falls(list(levels.values())):
            # The severity grows to the right in every panel.
            panel.invert_xaxis()
    if others:
        for index, network in enumerate(networks):
            offset = (index - (len(networks) - 1) / 2) * 0.6 / len(networks)
            _plot_sets(axes[-1], [result.score(network, name) for name in others], index, offset)
        axes[-1].set_xlim(-0.7, len(others) - 0.3)
        axes[-1].set_xticks(range(len(others)), [plain(name) for name in others], rotation=35, ha="right", fontsize=8)
    for panel in axes:
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("SRGA (0: as the reference)")
    handles = _legend(networks)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    first = result.scores[0]
    figure.suptitle(
        f"smaller is better; bands: 95 % confidence over {first.photos} photographs; {first.patches} patches a set; "
        f"reference {plain(result.reference)}",
        fontsize=10,
    )
    return figure


def density_figure(result: GeneralizationData, network: str) -> Figure:
    """Plot the histogram and the fitted density of the reference and of sets that are spread over the range of scores."""
    scores = [score for score in result.scores if score.network == network]
    reference, rest = (
        scores[0],
        sorted((score for score in scores[1:] if score.histogram), key=lambda score: score.srga.value),
    )
    spread = np.linspace(0, len(rest) - 1, min(len(rest), _MAX_SETS - 1)).round().astype(int)
    shown = [reference, *(rest[index] for index in dict.fromkeys(spread.tolist()))]
    rows = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(3.2 * min(_COLUMNS, len(shown)), 2.6 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, min(_COLUMNS, len(shown)), squeeze=False)
    for panel in axes.flat[len(shown) :]:
        panel.axis("off")
    for panel, score in zip(axes.flat, shown, strict=False):
        _plot_density(panel, score)
    figure.supxlabel("score of a principal component", fontsize=9)
    figure.supylabel("density", fontsize=9)
    figure.suptitle(
        f"{plain(network)}: principal component scores (grey) and the fitted generalized Gaussian (line)", fontsize=10
    )
    return figure


def generalization_figures(result: GeneralizationData) -> dict[str, Figure]:
    """All figures of the report by their captions."""
    return {
        "SRGA by level of each degradation, with 95 % confidence intervals": srga_figure(result),
        **{f"Densities of {network.name}": density_figure(result, network.name) for network in result.networks},
    }


def _families(result: GeneralizationData) -> tuple[dict[str, dict[float, str]], list[str]]:
    """Sets by family and ascending level, for families with two levels or more; and the names of all other sets."""
    names = result.set_names[1:]
    by_family: dict[str, dict[float, str]] = {}
    for name in names:
        try:
            pipeline = None if name in result.given_sets else parse_degradation(name)
        except InputError:
            pipeline = None
        if pipeline and pipeline.level is not None:
            by_family.setdefault(pipeline.family, {})[pipeline.level] = name
    families = {family: dict(sorted(levels.items())) for family, levels in by_family.items() if len(levels) > 1}
    plotted = {name for levels in families.values() for name in levels.values()}
    return families, [name for name in names if name not in plotted]


def _severity_falls(names: Sequence[str]) -> bool:
    first, last = (parse_degradation(name).steps[0].severity for name in (names[0], names[-1]))
    return first > last


def _plot_levels(panel: Axes, levels: Mapping[float, str], scores: Sequence[Score], index: int) -> None:
    color, marker = group_style(index)
    value, low, high = _columns(scores)
    panel.plot(list(levels), value, color=color, marker=marker, markersize=4)
    panel.fill_between(list(levels), low, high, color=color, alpha=0.15, linewidth=0)
    panel.axhline(scores[0].floor, color=color, linestyle=":", linewidth=1)


def _plot_sets(panel: Axes, scores: Sequence[Score], index: int, offset: float) -> None:
    color, marker = group_style(index)
    value, low, high = _columns(scores)
    errors = np.stack([value - low, high - value]).clip(0)
    panel.errorbar(np.arange(len(scores)) + offset, value, errors, fmt=marker, color=color, capsize=2, markersize=5)


def _plot_density(panel: Axes, score: Score) -> None:
    assert score.histogram is not None
    edges, counts = np.array(score.histogram.edges), np.array(score.histogram.counts)
    lowest = counts[counts > 0].min() / 2
    panel.stairs(np.maximum(counts, lowest), edges, fill=True, color="#bbbbbb", baseline=lowest)
    x = np.linspace(edges[0], edges[-1], 401)
    density = GeneralizedGaussian(np.array(score.sigma), np.array(score.shape)).density(x)
    panel.plot(x, density, color=group_style(1)[0], linewidth=1.5)
    panel.set_yscale("log")
    panel.set_ylim(lowest, counts.max() * 3)
    srga, shape = format_number(score.srga.value), format_number(score.shape)
    panel.set_title(f"{plain(score.set_name)}: SRGA {srga}, shape {shape}", fontsize=9)


def _columns(scores: Sequence[Score]) -> NDArray[np.float64]:
    """Scores and the ends of their intervals (3, scores); NaN where there is none."""
    return np.array([(score.srga.value, score.srga.low, score.srga.high) for score in scores]).T


def _legend(networks: Sequence[str]) -> list[Line2D]:
    handles = []
    for index, name in enumerate(networks):
        color, marker = group_style(index)
        handles.append(Line2D([], [], color=color, marker=marker, label=plain(name)))
    return [*handles, Line2D([], [], color=CONTROL_COLOR, linestyle=":", label="floor: two halves of the reference")]
