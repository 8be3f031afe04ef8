"""Draw the figures on a pair, depth, levels, classes, the exceptions and the intervention by training.

    python -m experiments.published_networks.figures CHECKOUTS DOZEN RESULTS

CHECKOUTS holds the clone of PCARN; its pair is measured here, on the bundled photographs. DOZEN is the folder of
`experiments.published_networks.depth_and_paths`, `classes`, `silenced`, `same_noise` and `without_residual`.
RESULTS receives ``figures/``.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

import ddrscope
from ddrscope.analysis import AnalysisResult
from ddrscope.viz.level_paths import draw_path
from ddrscope.viz.style import CONTROL_COLOR, group_style
from experiments.published_networks.judge_later import TABLES, VIEWS
from experiments.published_networks.later_rules import (
    ADVERSARIAL,
    CLASSIFIERS,
    DOZEN,
    HIDDEN,
    NOT_FALLING,
    OTHERS,
    SAME_NOISE_BESIDE,
    SHOWN_BESIDE,
    SUPER_RESOLUTION,
    WITH_RESIDUAL,
)
from experiments.published_networks.run import CROP, load, read_catalog
from experiments.published_networks.shares import read_rows

PAIR = {"PCARN-M-L1": "pixel loss (PCARN-M-L1)", "PCARN-M": "adversarial loss (PCARN-M)"}
SHOWN_PATHS = ("2024-11 QuickSRNetLarge", "PAN", "PCARN-M", "SRGAN dyckia")
# Names of groups in the legend.
GROUPS = {"clean": "clean", "blur:4": "blur, sigma 4 pixels", "noise:20": "noise, sigma 20 of 255"}
# Of the networks of the last figure, those without a global residual.
WITHOUT = ("2024-33 IFADNet", "2022-00 RFDN", "2024-00 RLFN_Prune")
UNITS = {"blur": "blur, sigma in HR pixels", "noise": "noise, sigma of 255", "jpeg": "JPEG quality"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("dozen", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    entries = {entry["name"]: entry for entry in read_catalog()}
    pair = ddrscope.analyze(
        [load(entries[name], arguments.checkouts) for name in PAIR], layers=(), crop=CROP, precision="float32"
    )
    tables = {name: read_rows(arguments.dozen / f"{name}.jsonl") for name in TABLES}
    figures = {
        "pair": pair_figure(pair),
        "depth": depth_figure(tables["depth"]),
        "paths": path_figure(tables["paths"]),
        "classes": classes_figure(tables["classes"]),
        "without_residual": training_figure(tables["without_residual"]),
        "exceptions": exceptions_figure(tables["silenced"], tables["same_noise"]),
    }
    for name, figure in figures.items():
        figure.savefig(arguments.results / "figures" / f"{name}.png", dpi=140)


def pair_figure(result: AnalysisResult) -> Figure:
    """The figure of the paper for one graph with two losses: t-SNE planes of the last HR layer, flattened features."""
    figure = Figure(figsize=(9, 5.1), layout="constrained")
    planes = result.embedding[(result.embedding["view"] == "flattened") & (result.embedding["control"] == "")]
    planes = planes[planes["seed"] == planes["seed"].min()]
    for axis, (name, title) in zip(figure.subplots(1, 2), PAIR.items(), strict=True):
        points = planes[planes["network"] == name]
        # The three versions of one crop are joined: short lines show content, zones of one colour the degradation.
        for _, versions in points.groupby("picture"):
            axis.plot(versions["x"], versions["y"], color=CONTROL_COLOR, linewidth=0.6, alpha=0.6, zorder=0)
        for index, group in enumerate(GROUPS):
            color, marker = group_style(index)
            rows = points[points["degradation"] == group]
            axis.scatter(rows["x"], rows["y"], s=42, color=color, marker=marker, alpha=0.85, edgecolors="white", lw=0.4)
        layer = result.layer(name, "flattened")
        shares = f"degradation {layer.degradation_share.percent()}\ncontent {layer.content_share.percent()}"
        axis.set_title(f"{title}\n{shares}", fontsize=11)
        axis.set(xticks=[], yticks=[], box_aspect=1)
    handles = [
        Line2D([], [], color=group_style(index)[0], marker=group_style(index)[1], linestyle="", label=label)
        for index, label in enumerate(GROUPS.values())
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(
        "One graph without a global residual, two losses: t-SNE of the last HR layer\n"
        f"{result.images} crops of {result.photos} bundled photographs, n = {layer.n}; a line joins the three versions of a crop\n"
        "shares of the variance of flattened features [95 %]",
        fontsize=10,
    )
    return figure


def depth_figure(rows: pd.DataFrame) -> Figure:
    """C5: the degradation share of every layer; a panel for each network, both views."""
    names = [name for name in DOZEN if name in set(rows.network)]
    lines = math.ceil(len(names) / 4)
    figure = Figure(figsize=(11, 2.6 * lines + 0.6), layout="constrained")
    axes = figure.subplots(lines, 4, sharex=True, sharey=True, squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        for index, view in enumerate(VIEWS):
            color, marker = group_style(index)
            own = rows[(rows.network == name) & (rows["view"] == view) & (rows.control == "")]
            axis.plot(own.depth, own.degradation_share, color=color, marker=marker, ms=4)
            axis.fill_between(own.depth, own.degradation_share_low, own.degradation_share_high, color=color, alpha=0.2)
        axis.set_title(f"{name}\n{_kind(name)}", fontsize=9)
        axis.grid(alpha=0.3)
        axis.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.flat[0].set_ylim(-0.05, 1)
    for axis in axes[-1]:
        axis.set_xlabel("depth (1 = last HR layer)")
    handles = [
        Line2D([], [], color=group_style(index)[0], marker=group_style(index)[1], label=f"{view} features")
        for index, view in enumerate(VIEWS)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    n = int(rows.n.iloc[0])
    figure.supylabel("degradation share of the variance", fontsize=10)
    figure.suptitle(f"Degradation share by depth, BSD100, n = {n}; bands: 95 % over photographs", fontsize=10)
    return figure


def path_figure(rows: pd.DataFrame) -> Figure:
    """C4: the centroids of the levels of each family in the plane of their largest spread, flattened features."""
    figure = Figure(figsize=(3.1 * len(SHOWN_PATHS), 9.2), layout="constrained")
    axes = figure.subplots(len(UNITS), len(SHOWN_PATHS))
    for (family, unit), line in zip(UNITS.items(), axes, strict=True):
        for name, axis in zip(SHOWN_PATHS, line, strict=True):
            path = rows[
                (rows.network == name) & (rows.family == family) & (rows["view"] == "flattened") & (rows.control == "")
            ].iloc[0]
            draw_path(axis, np.array(path.centroids), path.levels, fontsize=8, markersize=4)
            # Labels are legible where they lie on the line, and hide no mark.
            for label in axis.texts:
                label.set(zorder=2.5, path_effects=[withStroke(linewidth=2, foreground="white")])
            axis.plot(*np.array(path.centroids).T, color=axis.lines[0].get_color(), marker="o", ms=4, ls="", zorder=3)
            axis.margins(0.18)
            axis.set(xticks=[], yticks=[])
            spearman = f"{path.spearman:.2f} [{path.spearman_low:.2f}, {path.spearman_high:.2f}]"
            axis.set_title(f"Spearman {spearman}", fontsize=9)
            if family == "blur":
                axis.set_title(f"{name}\n{_kind(name)}\nSpearman {spearman}", fontsize=9)
        line[0].set_ylabel(unit)
    figure.suptitle(
        "Centroids of the levels in the plane of their two main directions, last HR layer (flattened), BSD100, "
        f"n = {int(rows.n.iloc[0])}\neach panel on its own scale; numbers: levels; Spearman: level against place on the path, 95 %",
        fontsize=10,
    )
    return figure


def classes_figure(rows: pd.DataFrame) -> Figure:
    """C1: class share and degradation share, a line for each network, a panel for each view."""
    names = (*CLASSIFIERS, *SUPER_RESOLUTION, *SHOWN_BESIDE, "pixels")
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, view in zip(axes, VIEWS, strict=True):
        of_view = rows[rows["view"] == view]
        own = of_view[of_view.control == ""].set_index("network").loc[list(names[:-1])]
        own = pd.concat([own, of_view[of_view.control == "pixels"].iloc[-1:]])
        for index, (measure, label) in enumerate({"degradation_share": "degradation", "class_share": "class"}.items()):
            color, marker = group_style(index)
            share = own[measure].to_numpy()
            errors = np.abs(own[[f"{measure}_low", f"{measure}_high"]].to_numpy().T - share)
            at = np.arange(len(names)) + 0.2 * index - 0.1
            axis.errorbar(share, at, xerr=errors, fmt=marker, color=color, label=f"{label} share")
        axis.set_title(f"{view} features", fontsize=10)
        axis.set_xlabel("share of the variance, last layer")
        axis.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    labels = [f"{name}\n{'classifier' if name in CLASSIFIERS else _kind(name)}" for name in names[:-1]]
    axes[0].set_yticks(range(len(names)), [*labels, "LR pixels"], fontsize=9)
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False)
    first = rows.iloc[0]
    title = f"{int(first.photos)} photographs of {int(first.classes)} classes, n = {int(first.n)}; bars: 95 %"
    figure.suptitle(title, fontsize=10)
    return figure


def exceptions_figure(silenced: pd.DataFrame, same_noise: pd.DataFrame) -> Figure:
    """The flattened degradation share of the last features without and with each of the two interventions."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.set_title("Does the image hide the degradation?", fontsize=11)
    labels = ("as it is", "without the features of the first convolution")
    _before_and_after(left, silenced, "silenced", (*HIDDEN, *NOT_FALLING, *OTHERS), labels)
    right.set_title("Does the noise hide the degradation?", fontsize=11)
    labels = ("each photograph has its own noise", "one pattern of noise in all photographs")
    _before_and_after(right, same_noise, "one_pattern", (*HIDDEN, *SAME_NOISE_BESIDE), labels)
    left.set(ylabel="degradation share of the variance, flattened", ylim=(-0.03, 1))
    left.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    figure.suptitle("Two interventions: last HR layer of published networks, BSD100; bars: 95 %", fontsize=10)
    return figure


def _before_and_after(axis: Axes, rows: pd.DataFrame, column: str, names: Sequence[str], labels: Sequence[str]) -> None:
    """A place for each network: those with a global residual, a line, and those without."""
    own = rows[(rows["view"] == "flattened") & (rows.control == "")]
    ordered = sorted(names, key=lambda name: name in WITHOUT)
    border = sum(name not in WITHOUT for name in names) - 0.5
    for index, changed in enumerate((False, True)):
        chosen = own[own[column] == changed].set_index("network").loc[ordered]
        color, marker = group_style(index)
        at = np.arange(len(names)) + (0.12 if changed else -0.12)
        share = chosen.degradation_share.to_numpy()
        errors = np.abs(chosen[["degradation_share_low", "degradation_share_high"]].to_numpy().T - share)
        axis.errorbar(at, share, errors, fmt=marker, color=color, label=labels[index])
    axis.axvline(border, color=CONTROL_COLOR, linewidth=1, linestyle=":")
    for x, side, text in ((border - 0.1, "right", "global residual"), (border + 0.1, "left", "none")):
        axis.text(x, 0.97, text, ha=side, va="top", fontsize=9, color=CONTROL_COLOR)
    names_below = [name.partition(" ")[2] for name in ordered]
    axis.set_xticks(range(len(names)), names_below, fontsize=9, rotation=25, ha="right", rotation_mode="anchor")
    axis.grid(axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(
        title=f"n = {int(own.n.iloc[0])}", frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2)
    )


def training_figure(rows: pd.DataFrame) -> Figure:
    """The degradation share over the steps of fine-tuning, with the residual taken out and as it is."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    own = rows[rows.control == ""]
    for axis, view in zip(axes, VIEWS, strict=True):
        for index, arm in enumerate(("control", "without residual")):
            line = own[(own["view"] == view) & (own.arm == arm)].sort_values("step")
            color, marker = group_style(index)
            label = "residual taken out" if index else "control: with its residual"
            axis.plot(line.step, line.degradation_share, color=color, marker=marker, label=label)
            low, high = (line[f"degradation_share_{end}"] for end in ("low", "high"))
            axis.fill_between(line.step, low, high, color=color, alpha=0.2)
        axis.set_title(f"{view} features", fontsize=10)
        axis.set_xlabel("steps of fine-tuning")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set(ylabel="degradation share of the variance", ylim=(-0.03, 1))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes[0].legend(frameon=False)
    figure.suptitle(
        f"2024-11 QuickSRNetLarge: last HR layer, BSD100, n = {int(rows.n.iloc[0])}; bands: 95 %", fontsize=10
    )
    return figure


def _kind(name: str) -> str:
    if name in WITH_RESIDUAL:
        return "global residual, pixel loss"
    return "no residual, adversarial" if name in ADVERSARIAL else "no residual, pixel loss"


if __name__ == "__main__":
    main()
