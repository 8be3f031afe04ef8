"""The figures of claims C4 to C6: along levels, depth and training."""

from __future__ import annotations

import numpy as np

from ddrscope.results.study import StudyData
from ddrscope.viz.fonts import Figure
from ddrscope.viz.level_paths import draw_path
from ddrscope.viz.study_drawing import (
    RANDOM_WEIGHTS,
    SHARE_LABEL,
    VIEWS,
    WITH_RESIDUAL,
    WITHOUT_RESIDUAL,
    draw_curve,
    estimate_of,
    finish,
    rows_of,
    seeds_of,
)
from ddrscope.viz.style import CONTROL_COLOR, MEASURE_NAMES

_SIZE = (12.4, 7.2)
_KINDS = {"wgr": WITH_RESIDUAL, "wogr": WITHOUT_RESIDUAL}


def path_figure(data: StudyData) -> Figure:
    """C4: the centroids of the levels of each family in the plane of their largest spread."""
    paths = data.evidence.paths
    networks = ("srresnet-wgr", "srgan-wgr", "srgan-wogr", "srresnet-wogr")
    families = list(dict.fromkeys(paths.family))
    figure = Figure(figsize=(3.4 * len(networks), 3.4 * len(families) + 0.4), layout="constrained")
    axes = figure.subplots(len(families), len(networks), squeeze=False)
    for family, line in zip(families, axes, strict=True):
        of_family = paths[paths.family == family]
        for network, panel in zip(networks, line, strict=True):
            path = rows_of(of_family, network, "flattened").iloc[0]
            draw_path(panel, np.array(path.centroids), path.levels, fontsize=8, markersize=4)
            panel.margins(0.18)
            panel.set_xticks([])
            panel.set_yticks([])
            spearman = estimate_of(of_family, network, "flattened", "spearman")
            panel.set_title(f"{network}, {family}\nSpearman {spearman}", fontsize=9)
    figure.suptitle(
        "Centroids of the levels at the last HR layer (flattened), in the plane of their largest spread, each panel on "
        "its own scale;\n"
        f"numbers: blur width in HR pixels, noise in 0..255, JPEG quality; n = {paths.n.iloc[0]}",
        fontsize=9,
    )
    return figure


def depth_figure(data: StudyData) -> Figure:
    """C5: degradation share at every layer, from the first block to the last HR layer."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    layers = data.evidence.layers
    for view, line in zip(VIEWS, axes, strict=True):
        for panel, family in zip(line, ("srresnet", "srgan"), strict=True):
            for seed in seeds_of(data):
                for kind, mark in _KINDS.items():
                    rows = rows_of(layers, f"{family}-{kind}{seed}", view)
                    draw_curve(panel, rows, "depth", "degradation_share", mark, bold=not seed)
                random = rows_of(layers, f"{family}-wgr{seed}", view, "random_weights")
                draw_curve(panel, random, "depth", "degradation_share", RANDOM_WEIGHTS)
            panel.set_title(f"{family}, {view} features", fontsize=10)
            panel.set_ylabel(SHARE_LABEL)
            panel.set_xlabel("depth (1 = last HR layer)")
    note = "thick, with its 95 % band: bundled; thin: seeds at pilot size"
    return finish(figure, [*_KINDS.values(), RANDOM_WEIGHTS], note=note)


def training_figure(data: StudyData) -> Figure:
    """C6: quality, degradation share and CHI at every kept step of the pixel stage."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    checkpoints = data.evidence.checkpoints
    first_step = max(float(checkpoints.step[checkpoints.step > 0].min()), 1.0)
    for view, line in zip(VIEWS, axes, strict=True):
        for measure, panel in zip(("psnr", "degradation_share", "chi_pca"), line, strict=True):
            for kind, mark in _KINDS.items():
                for seed in seeds_of(data)[1:]:
                    rows = rows_of(checkpoints, f"srresnet-{kind}{seed}", view).sort_values("step")
                    draw_curve(panel, rows, "step", measure, mark)
            panel.set_xscale("symlog", linthresh=first_step)
            panel.set_xlabel("step of the pixel stage")
        quality, share, chi = line
        quality.axhline(checkpoints.psnr_bicubic.iloc[0], color=CONTROL_COLOR, linestyle="--", label="bicubic")
        quality.legend(frameon=False)
        quality.set_ylabel("PSNR-Y (dB), validation photographs")
        share.set_ylabel(SHARE_LABEL)
        share.set_title(f"{view} features, last HR layer", fontsize=10)
        chi.set_ylabel(MEASURE_NAMES["chi_pca"])
        chi.set_yscale("log")
    return finish(figure, list(_KINDS.values()), note="bands: 95 % jackknife over photographs")
