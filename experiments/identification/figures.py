"""Draw the results of `experiments.identification.run`, and distortion maps of images with one or two distorted halves.

    python -m experiments.identification.figures OUT FIGURES

OUT is the folder of the run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from skimage.data import astronaut

from ddrscope.degradations import parse_degradation
from ddrscope.identification import load_identifier
from ddrscope.viz.heatmap import write_heatmap
from ddrscope.viz.style import OKABE_ITO
from experiments.identification.run import REDUCED, TYPES

MEASURES = {
    "type_accuracy": "25 types, all levels",
    "type_accuracy_strong": "25 types, levels 3 to 5",
    "group_accuracy": "7 groups and clean, all levels",
    "group_accuracy_strong": "7 groups, levels 3 to 5",
}
NAMES = {"ddr": "DDR (srgan-wgr)", "without global residual": "without global residual (srresnet-wogr)"}
MARKS = "osD^vPX*"
HALVES = {"identify-heatmap": ("blur:2.5", "noise:18"), "identify-heatmap-jpeg": ("clean", "jpeg:7")}
LEFT, RIGHT = slice(None, 256), slice(256, None)


def confusion_figure(table: pd.DataFrame) -> Figure:
    """Confusion matrix: true types in rows, predicted types in columns; lines separate groups."""
    figure = Figure(figsize=(11.5, 10), layout="constrained")
    panel = figure.subplots()
    shares = table.to_numpy(dtype=float)
    image = panel.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    names = [str(name).replace("_", " ") for name in table.columns]
    panel.set_xticks(range(len(names)), names, rotation=90)
    panel.set_yticks(range(len(names)), names)
    groups = ["clean", *TYPES.values()]
    for index in range(1, len(groups)):
        if groups[index] != groups[index - 1]:
            panel.axhline(index - 0.5, color="white", linewidth=0.8)
            panel.axvline(index - 0.5, color="white", linewidth=0.8)
    for row, column in np.argwhere(shares >= 0.1):
        share = shares[row, column]
        panel.text(
            column,
            row,
            f"{100 * share:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if share > 0.55 else "white",
        )
    panel.set_xlabel("predicted")
    panel.set_ylabel("true")
    panel.set_title("Test images of all levels, percent of the row; shares of 10 % and more as numbers", fontsize=10)
    figure.colorbar(image, ax=panel, shrink=0.6, label="share of the row")
    return figure


def comparison_figure(results: dict[str, Any]) -> Figure:
    """Accuracies of the descriptors with their intervals, at the full and at the reduced setting."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, reduced in zip(panels, (False, True), strict=True):
        rows = {name: row for name, row in results.items() if name.endswith(REDUCED) == reduced}
        for index, (name, row) in enumerate(rows.items()):
            at = np.arange(len(MEASURES)) + (index - len(rows) / 2) * 0.1
            estimates = [row["measures"][measure] for measure in MEASURES]
            values = np.array([estimate["value"] for estimate in estimates])
            ends = np.abs([[estimate[end] - estimate["value"] for estimate in estimates] for end in ("low", "high")])
            color = OKABE_ITO[index % len(OKABE_ITO)]
            label = NAMES.get(name.removesuffix(REDUCED), name.removesuffix(REDUCED))
            panel.errorbar(at, values, ends, fmt=MARKS[index], color=color, capsize=2, label=label)
        panel.set_xticks(range(len(MEASURES)), [text.replace(", ", ",\n") for text in MEASURES.values()], fontsize=8)
        panel.set_ylim(0, 1)
        panel.grid(axis="y", alpha=0.3)
        panel.set_title(
            "reduced: levels 2 and 4, fewer images for fitting, one tile per test image" if reduced else "full",
            fontsize=10,
        )
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)
    panels[0].set_ylabel("accuracy (95 % jackknife over photographs)")
    return figure


def draw_halves(target: Path) -> None:
    """Maps of a photograph blurred on the left and noisy on the right, and of one with a strong JPEG on the right."""
    identifier, whole = load_identifier(), (astronaut() / 255).astype(np.float32)
    for name, (left, right) in HALVES.items():
        halves = [parse_degradation(text).apply(whole)[:, part] for text, part in ((left, LEFT), (right, RIGHT))]
        pixels = np.concatenate(halves, axis=1)
        write_heatmap(
            target / f"{name}.png",
            pixels,
            identifier.map_distortions(pixels),
            identifier.identify(pixels),
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    confusion_figure(pd.read_csv(source / "confusion.csv", index_col=0)).savefig(
        target / "identification-confusion.png", dpi=110
    )
    comparison_figure(json.loads((source / "benchmark.json").read_text())).savefig(
        target / "identification-descriptors.png", dpi=110
    )
    draw_halves(target)
