"""The figures of claims C1 to C3: shares of the last HR layer."""

from __future__ import annotations

import numpy as np

from ddrscope.results.study import StudyData
from ddrscope.viz.fonts import Figure
from ddrscope.viz.study_drawing import (
    CONTENT_COLOR,
    DEGRADATION_COLOR,
    SHARE_LABEL,
    VIEWS,
    WITH_RESIDUAL,
    WITHOUT_RESIDUAL,
    Mark,
    draw_estimates,
    draw_plane,
    draw_shares,
    estimate_of,
    finish,
    last_layers,
    rows_of,
    seed_labels,
    seeds_of,
)
from ddrscope.viz.style import CONTROL_COLOR

_SIZE = (12.4, 7.6)


def clustering_figure(data: StudyData) -> Figure:
    """C1: t-SNE planes of an SR network and a classifier, by degradation and by photograph, and their shares."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 3, width_ratios=(1, 1, 1.1))
    last, points = last_layers(data), 0
    networks = (("networks", "srresnet-wgr"), ("classifier", "efficientnet-lite0"))
    for (by_degradation, by_photo, shares), (analysis, network) in zip(axes, networks, strict=True):
        plane = rows_of(data.embeddings[analysis], network, "flattened")
        layer = rows_of(last, network, "flattened").iloc[0]["layer"]
        plane = plane[(plane.layer == layer) & (plane.seed == plane.seed.min())]
        points = len(plane)
        draw_plane(by_degradation, plane, "degradation", legend=True)
        draw_plane(by_photo, plane, "photo", legend=False)
        by_degradation.set_title(f"{network}: by degradation", fontsize=10)
        by_photo.set_title(f"the same points, by photograph ({plane.photo.nunique()})", fontsize=10)
        draw_shares(shares, last, network)
    figure.suptitle(
        f"t-SNE of flattened features of the last layer, n = {points}; right: 95 % jackknife over photographs",
        fontsize=10,
    )
    return figure


def residual_figure(data: StudyData) -> Figure:
    """C2: degradation share with and without global residual, and against PSNR over the checkpoints."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 2, width_ratios=(1, 1.3))
    marks = {
        ("srresnet-wgr", ""): WITH_RESIDUAL,
        ("srresnet-wogr", ""): WITHOUT_RESIDUAL,
        ("srresnet-wgr", "random_weights"): Mark("random weights", CONTROL_COLOR, "X", "--"),
        ("srresnet-wgr", "shuffled_labels"): Mark("shuffled labels", CONTROL_COLOR, "v", "--"),
    }
    seeds, last = seeds_of(data), last_layers(data)
    for view, (by_seed, by_quality) in zip(VIEWS, axes, strict=True):
        for offset, ((network, control), mark) in enumerate(marks.items()):
            shares = [estimate_of(last, f"{network}{seed}", view, "degradation_share", control) for seed in seeds]
            draw_estimates(by_seed, np.arange(len(seeds)) + 0.16 * (offset - 1.5), shares, mark)
        by_seed.set_xticks(range(len(seeds)), seed_labels(seeds))
        by_seed.set_ylabel(SHARE_LABEL)
        by_seed.set_title(f"{view} features, last HR layer, end of the training", fontsize=10)
        for index, seed in enumerate(seeds[1:]):
            rows = rows_of(data.evidence.checkpoints, f"srresnet-wgr{seed}", view).sort_values("step")
            alpha = 0.5 + 0.15 * index
            by_quality.plot(
                rows.psnr,
                rows.degradation_share,
                "-o",
                color=DEGRADATION_COLOR,
                markersize=3,
                alpha=min(alpha, 1),
                lw=1,
            )
            without = estimate_of(last, f"srresnet-wogr{seed}", view, "degradation_share")
            draw_estimates(by_quality, [data.evidence.psnr[f"srresnet-wogr{seed}"]], [without], WITHOUT_RESIDUAL)
        by_quality.set_xlabel("PSNR-Y on validation photographs (dB)")
        by_quality.set_title(
            "the same against quality: checkpoints with (lines), final networks without (squares)", fontsize=10
        )
    return finish(figure, list(marks.values()))


def adversarial_figure(data: StudyData) -> Figure:
    """C3: degradation and content share before and after the adversarial stage, without and with global residual."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 2)
    marks = {
        ("srresnet", "degradation_share", ""): Mark("degradation, pixel loss", DEGRADATION_COLOR, "o", fill="none"),
        ("srgan", "degradation_share", ""): Mark("degradation, adversarial", DEGRADATION_COLOR, "o"),
        ("srresnet", "content_share", ""): Mark("content, pixel loss", CONTENT_COLOR, "s", fill="none"),
        ("srgan", "content_share", ""): Mark("content, adversarial", CONTENT_COLOR, "s"),
        ("srgan", "degradation_share", "random_weights"): Mark("degradation, random weights", CONTROL_COLOR, "X"),
    }
    seeds, last = seeds_of(data), last_layers(data)
    for view, line in zip(VIEWS, axes, strict=True):
        for panel, (kind, residual) in zip(line, (("wogr", "without"), ("wgr", "with")), strict=True):
            for offset, ((family, measure, control), mark) in enumerate(marks.items()):
                shares = [estimate_of(last, f"{family}-{kind}{seed}", view, measure, control) for seed in seeds]
                draw_estimates(panel, np.arange(len(seeds)) + 0.14 * (offset - 2), shares, mark)
            panel.set_xticks(range(len(seeds)), seed_labels(seeds))
            panel.set_ylabel("share of the variance")
            panel.set_title(f"{residual} global residual, {view} features, last HR layer", fontsize=10)
    return finish(figure, list(marks.values()), lines=False)
