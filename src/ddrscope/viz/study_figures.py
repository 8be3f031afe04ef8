"""A figure for each claim of the study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ddrscope.viz.curves import label_levels
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import CONTROL_COLOR, OKABE_ITO, group_style

if TYPE_CHECKING:
    from ddrscope.study.result import StudyResult

VIEWS = ("flattened", "pooled")
DEGRADATION, CONTENT = OKABE_ITO[1], OKABE_ITO[0]
SHARES = {"degradation_share": ("degradation", DEGRADATION, "o"), "photo_share": ("photograph", CONTENT, "s")}


def gathering_figure(result: StudyResult) -> Figure:
    """C1: t-SNE planes of an SR network's and a classifier's last layer, coloured by degradation and by photograph, and their shares."""
    figure = Figure(figsize=(12.4, 7.6), layout="constrained")
    axes = figure.subplots(2, 3, width_ratios=(1, 1, 1.1))
    last = result.evidence.layers[result.evidence.layers["last"]]
    for line, (analysis, network) in zip(
        axes, (("networks", "srresnet-wgr"), ("classifier", "efficientnet-lite0")), strict=True
    ):
        plane = result.embeddings[analysis]
        layer = last[(last.network == network) & (last.control == "")].iloc[0]["layer"]
        chosen = (
            (plane.network == network) & (plane.control == "") & (plane["view"] == "flattened") & (plane.layer == layer)
        )
        plane = plane[chosen & (plane.seed == plane.seed.min())]
        _scatter(line[0], plane, "degradation", legend=True)
        _scatter(line[1], plane, "photo", legend=False)
        line[0].set_title(f"{network}: by degradation", fontsize=10)
        line[1].set_title(f"the same points, by photograph ({plane.photo.nunique()})", fontsize=10)
        _share_bars(line[2], last[last.network == network])
    figure.suptitle(
        f"t-SNE of flattened features of the last layer, n = {len(plane)}; right: 95 % jackknife over photographs",
        fontsize=10,
    )
    return figure


def residual_figure(result: StudyResult) -> Figure:
    """C2: degradation share with and without global residual, and against PSNR over the checkpoints."""
    figure = Figure(figsize=(12.4, 7.6), layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=(1, 1.3))
    seeds = _seeds(result)
    layers, kept = result.evidence.layers, result.evidence.checkpoints
    last = layers[layers["last"]]
    groups = [
        ("srresnet-wgr", "", "with global residual", DEGRADATION, "o"),
        ("srresnet-wogr", "", "without", CONTENT, "s"),
        ("srresnet-wgr", "random_weights", "random weights", CONTROL_COLOR, "X"),
        ("srresnet-wgr", "shuffled_labels", "shuffled labels", CONTROL_COLOR, "v"),
    ]
    for view, line in zip(VIEWS, axes, strict=True):
        for offset, (network, control, label, color, marker) in enumerate(groups):
            rows = [_row(last, f"{network}{seed}", view, control) for seed in seeds]
            _points(
                line[0], np.arange(len(seeds)) + 0.16 * (offset - 1.5), rows, "degradation_share", color, marker, label
            )
        line[0].set_xticks(range(len(seeds)), [seed.strip() or "bundled" for seed in seeds])
        line[0].set_ylabel("variance that follows the degradation")
        line[0].set_title(f"{view} features, last HR layer, trained to the end", fontsize=10)
        for index, seed in enumerate(seeds[1:]):
            course = kept[(kept.network == f"srresnet-wgr{seed}") & (kept["view"] == view)].sort_values("step")
            line[1].plot(
                course.psnr,
                course.degradation_share,
                "-o",
                color=DEGRADATION,
                markersize=3,
                alpha=0.5 + 0.15 * index,
                lw=1,
            )
            final = _row(last, f"srresnet-wogr{seed}", view, "")
            psnr = result.data["psnr"][f"srresnet-wogr{seed}"]
            _points(line[1], [psnr], [final], "degradation_share", CONTENT, "s", "")
        line[1].set_xlabel("PSNR-Y on validation photographs (dB)")
        line[1].set_title(
            "the same against quality: checkpoints with (lines), final networks without (squares)", fontsize=10
        )
    _legend_below(figure, [(label, color, marker) for _, _, label, color, marker in groups])
    return _tidy(figure)


def adversarial_figure(result: StudyResult) -> Figure:
    """C3: degradation and content share before and after the adversarial stage, without and with global residual."""
    figure = Figure(figsize=(12.4, 7.6), layout="constrained")
    axes = figure.subplots(2, 2)
    seeds, last = _seeds(result), result.evidence.layers[result.evidence.layers["last"]]
    marks: list[tuple[str, str, str, str, str, str, Any]] = [
        ("srresnet", "degradation_share", "", "degradation, pixel loss", DEGRADATION, "o", "none"),
        ("srgan", "degradation_share", "", "degradation, adversarial", DEGRADATION, "o", "full"),
        ("srresnet", "content_share", "", "content, pixel loss", CONTENT, "s", "none"),
        ("srgan", "content_share", "", "content, adversarial", CONTENT, "s", "full"),
        ("srgan", "degradation_share", "random_weights", "degradation, random weights", CONTROL_COLOR, "X", "full"),
    ]
    for view, line in zip(VIEWS, axes, strict=True):
        for panel, kind in zip(line, ("wogr", "wgr"), strict=True):
            for offset, (family, measure, control, label, color, marker, fill) in enumerate(marks):
                rows = [_row(last, f"{family}-{kind}{seed}", view, control) for seed in seeds]
                _points(panel, np.arange(len(seeds)) + 0.14 * (offset - 2), rows, measure, color, marker, label, fill)
            panel.set_xticks(range(len(seeds)), [seed.strip() or "bundled" for seed in seeds])
            panel.set_ylabel("share of the variance")
            residual = "without global residual" if kind == "wogr" else "with global residual"
            panel.set_title(f"{residual}, {view} features, last HR layer", fontsize=10)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", fillstyle=fill, label=label)
        for *_, label, color, marker, fill in marks
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return _tidy(figure)


def path_figure(result: StudyResult) -> Figure:
    """C4: the centroids of the levels of each family in the plane that holds most of their spread."""
    paths = result.evidence.paths
    networks = ["srresnet-wgr", "srgan-wgr", "srgan-wogr", "srresnet-wogr"]
    families = list(dict.fromkeys(paths.family))
    figure = Figure(figsize=(3.4 * len(networks), 3.4 * len(families) + 0.4), layout="constrained")
    axes = figure.subplots(len(families), len(networks), squeeze=False)
    for family, line in zip(families, axes, strict=True):
        for network, panel in zip(networks, line, strict=True):
            rows = paths[
                (paths.family == family)
                & (paths.network == network)
                & (paths["view"] == "flattened")
                & (paths.control == "")
            ]
            path = rows.iloc[0]
            points, levels = np.array(path.centroids), path.levels
            panel.plot(points[:, 0], points[:, 1], color=OKABE_ITO[0], marker="o", markersize=4)
            label_levels(panel, points, levels, fontsize=8)
            panel.margins(0.18)
            panel.set_xticks([])
            panel.set_yticks([])
            interval = f"{path.spearman:.2f} [{path.spearman_low:.2f}, {path.spearman_high:.2f}]"
            panel.set_title(f"{network}, {family}\nSpearman {interval}", fontsize=9)
    figure.suptitle(
        "Centroids of the levels at the last HR layer (flattened), in the plane of their own largest spread, each panel on its own scale;\n"
        f"numbers: blur width in HR pixels, noise in 0..255, JPEG quality; n = {paths.n.iloc[0]}",
        fontsize=9,
    )
    return figure


def depth_figure(result: StudyResult) -> Figure:
    """C5: degradation share at every layer, from the first block to the last HR layer."""
    figure = Figure(figsize=(12.4, 7.2), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    layers = result.evidence.layers
    for view, line in zip(VIEWS, axes, strict=True):
        for panel, family in zip(line, ("srresnet", "srgan"), strict=True):
            for kind, color, marker in (("wgr", DEGRADATION, "o"), ("wogr", CONTENT, "s")):
                for seed in _seeds(result):
                    rows = _of(layers, f"{family}-{kind}{seed}", view, "")
                    _curve(panel, rows, "depth", "degradation_share", color, marker, bold=not seed)
            for seed in _seeds(result):
                _curve(
                    panel,
                    _of(layers, f"{family}-wgr{seed}", view, "random_weights"),
                    "depth",
                    "degradation_share",
                    CONTROL_COLOR,
                    "",
                )
            panel.set_title(f"{family}, {view} features", fontsize=10)
            panel.set_ylabel("variance that follows the degradation")
            panel.set_xlabel("depth (1 = last HR layer)")
    marks = [
        ("with global residual", DEGRADATION, "o"),
        ("without", CONTENT, "s"),
        ("random weights", CONTROL_COLOR, ""),
    ]
    _legend_below(figure, marks, "thick, with its 95 % band: bundled; thin: seeds at pilot size")
    return _tidy(figure)


def training_figure(result: StudyResult) -> Figure:
    """C6: quality, degradation share and CHI at every kept step of the pixel stage."""
    figure = Figure(figsize=(12.4, 7.2), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    kept = result.evidence.checkpoints
    for view, line in zip(VIEWS, axes, strict=True):
        for measure, panel in zip(("psnr", "degradation_share", "chi_pca"), line, strict=True):
            for kind, color, marker in (("wgr", DEGRADATION, "o"), ("wogr", CONTENT, "s")):
                for seed in _seeds(result)[1:]:
                    rows = kept[(kept.network == f"srresnet-{kind}{seed}") & (kept["view"] == view)].sort_values("step")
                    _curve(panel, rows, "step", measure, color, marker)
            panel.set_xscale("symlog", linthresh=max(float(kept.step[kept.step > 0].min()), 1.0))
            panel.set_xlabel("step of the pixel stage")
        line[0].axhline(kept.psnr_bicubic.iloc[0], color=CONTROL_COLOR, linestyle="--", label="bicubic")
        line[0].legend(frameon=False)
        line[0].set_ylabel("PSNR-Y (dB), validation photographs")
        line[1].set_ylabel("variance that follows the degradation")
        line[2].set_ylabel("CHI by degradation (PCA-50)")
        line[2].set_yscale("log")
        line[1].set_title(f"{view} features, last HR layer", fontsize=10)
    _legend_below(
        figure,
        [("with global residual", DEGRADATION, "o"), ("without", CONTENT, "s")],
        "bands: 95 % jackknife over photographs",
    )
    return _tidy(figure)


FIGURES: dict[str, Callable[[StudyResult], Figure]] = {
    "C1": gathering_figure,
    "C2": residual_figure,
    "C3": adversarial_figure,
    "C4": path_figure,
    "C5": depth_figure,
    "C6": training_figure,
}


def _seeds(result: StudyResult) -> list[str]:
    found = sorted(seed for seed in set(result.evidence.layers.seed) if seed != "bundled")
    return ["", *(f" seed {seed}" for seed in found)]


def _of(table: pd.DataFrame, network: str, view: str, control: str) -> pd.DataFrame:
    return table[(table.network == network) & (table["view"] == view) & (table.control == control)]


def _row(table: pd.DataFrame, network: str, view: str, control: str) -> dict[Any, Any]:
    return _of(table, network, view, control).iloc[0].to_dict()


def _points(
    panel: Axes, xs: Sequence[float] | np.ndarray, rows: Sequence[dict[Any, Any]], measure: str, color: str, marker: str,
    label: str, fill: Any = "full",
) -> None:  # fmt: skip
    values = np.array([[row[f"{measure}{end}"] for end in ("", "_low", "_high")] for row in rows], dtype=float)
    reach = np.abs(values[:, 1:] - values[:, :1]).T
    panel.errorbar(
        xs, values[:, 0], reach, fmt=marker, color=color, markersize=6, fillstyle=fill, capsize=2, lw=1, label=label
    )
    panel.axhline(0, color="#cccccc", lw=0.8, zorder=0)


def _curve(
    panel: Axes, rows: pd.DataFrame, across: str, measure: str, color: str, marker: str, bold: bool = False
) -> None:
    dashes = "--" if color == CONTROL_COLOR else "-"
    panel.plot(rows[across], rows[measure], dashes, color=color, marker=marker, markersize=3, lw=2 if bold else 0.9)
    if f"{measure}_low" in rows and (bold or across == "step"):
        panel.fill_between(rows[across], rows[f"{measure}_low"], rows[f"{measure}_high"], color=color, alpha=0.15, lw=0)


def _scatter(panel: Axes, plane: pd.DataFrame, column: str, legend: bool) -> None:
    for index, group in enumerate(dict.fromkeys(plane[column])):
        color, marker = group_style(index)
        chosen = plane[plane[column] == group]
        panel.scatter(
            chosen.x, chosen.y, s=18, c=color, marker=marker, alpha=0.8, linewidths=0.3, edgecolors="white", label=group
        )
    panel.set_xticks([])
    panel.set_yticks([])
    if legend:
        panel.legend(fontsize=8, frameon=False)


def _share_bars(panel: Axes, rows: pd.DataFrame) -> None:
    """Degradation and photograph share of a network, of its random weights and of the pixels, in both views."""
    lines = [(view, control) for view in VIEWS for control in ("", "random_weights", "pixels")]
    present = [
        (view, control) for view, control in lines if len(rows[(rows["view"] == view) & (rows.control == control)])
    ]
    for measure, (label, color, marker) in SHARES.items():
        chosen = [
            rows[(rows["view"] == view) & (rows.control == control)].iloc[0].to_dict() for view, control in present
        ]
        values = np.array([[row[f"{measure}{end}"] for end in ("", "_low", "_high")] for row in chosen], dtype=float)
        ys = np.arange(len(present)) + (0.12 if measure == "photo_share" else -0.12)
        reach = np.abs(values[:, 1:] - values[:, :1]).T
        panel.errorbar(values[:, 0], ys, xerr=reach, fmt=marker, color=color, capsize=2, label=f"{label} share")
    names = {"": "trained", "random_weights": "random weights", "pixels": "pixels"}
    panel.set_yticks(range(len(present)), [f"{view}, {names[control]}" for view, control in present], fontsize=8)
    panel.invert_yaxis()
    panel.axvline(0, color="#cccccc", lw=0.8, zorder=0)
    panel.set_xlabel("share of the variance")
    panel.legend(fontsize=8, frameon=False)


def _legend_below(figure: Figure, marks: Sequence[tuple[str, str, str]], note: str = "") -> None:
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="--" if color == CONTROL_COLOR else "-", label=label)
        for label, color, marker in marks
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, title=note or None)


def _tidy(figure: Figure) -> Figure:
    for panel in figure.axes:
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    return figure
