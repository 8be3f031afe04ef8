"""Draw the results of `experiments.guidance.run`: the gain of each arm by degradation, and results from best to worst.

    python -m experiments.guidance.figures HR OUT FIGURES

HR and OUT are those of the run. FIGURES receives ``guidance-gains.png`` and ``guidance-results.png``; the table is printed as Markdown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ddrscope.degradations import parse_degradation
from ddrscope.images import bundled_photos
from ddrscope.viz.style import group_style
from experiments.guidance.run import SCALE, SETS, read_crops, test_folders, upscaler

TITLES = {
    "ddr": "guided by DDR",
    "untrained": "guided by an untrained trunk",
    "shuffled": "given another image's DDR",
    "oracle": "given the true degradation",
    "enlarged": "no guidance, same cost",
    "narrow": "DDR, trained without margin",
    "deep": "DDR of sixteen blocks",
}
COLUMNS = {"bicubic": "bicubic", "plain": "no guidance", "ddr": "guided by DDR"}
# Side in pixels of the crops in the figure of results, and the number of best, median and worst results.
CROP, COUNT = 160, 4


def gains_figure(sets: pd.DataFrame, photographs: int, seeds: int) -> Figure:
    """PSNR-Y over the plain network for each degradation and arm, with 95 % intervals."""
    names = [*SETS, "all degraded"]
    figure = Figure(figsize=(8.5, 9.5), layout="constrained")
    panel = figure.subplots()
    panel.axvline(0, color="#777777", linewidth=1)
    arms = titles(sets)
    for index, (arm, title) in enumerate(arms.items()):
        color, marker = group_style(index)
        rows = sets[sets["arm"] == arm].set_index("set").loc[names]
        places = np.arange(len(names)) + (index - (len(arms) - 1) / 2) * 0.13
        reach = [rows["difference"] - rows["difference_low"], rows["difference_high"] - rows["difference"]]
        panel.errorbar(
            rows["difference"], places, xerr=reach, fmt=marker, color=color, markersize=5, linewidth=1.2, label=title
        )
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xlabel("PSNR-Y over the same network without guidance, dB")
    panel.grid(axis="x", alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(f"mean of {seeds} seeds and {photographs} held-out photographs, 95 % over both", fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def titles(sets: pd.DataFrame) -> dict[str, str]:
    """The titles of the arms in a table."""
    return {arm: title for arm, title in TITLES.items() if arm in set(sets["arm"])}


def markdown(sets: pd.DataFrame) -> str:
    """A row per degradation: PSNR-Y of bicubic and plain, and the difference of each other arm to plain with its interval."""
    arms = titles(sets)
    head = ["degradation", "bicubic", "no guidance", *arms.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in [*SETS, "all degraded"]:
        rows = sets[sets["set"] == name].set_index("arm")
        cells = [f"{rows['psnr'][arm]:.2f}" for arm in ("bicubic", "plain")]
        for arm in arms:
            mean, low, high = rows.loc[arm, ["difference", "difference_low", "difference_high"]]
            cells.append(f"{mean:+.2f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def results_figure(table: pd.DataFrame, hr: Path, out: Path) -> Figure:
    """Best, median and worst results by the gain of guidance, of the first seed.

    Only bundled photographs are shown: their licences allow it.
    """
    seed, ours = table["seed"].min(), table["photo"].str.startswith(f"{bundled_photos().name}/")
    degraded = table[(table["set"] != "clean") & table["seed"].isin([0, seed]) & ours]
    wide = degraded.pivot_table("psnr", ["photo", "set"], "arm", aggfunc="first")
    order = (wide["ddr"] - wide["plain"]).sort_values(ascending=False)
    middle = len(order) // 2 - COUNT // 2
    chosen = [*order.index[:COUNT], *order.index[middle : middle + COUNT], *order.index[-COUNT:]]
    heads = ["best"] * COUNT + ["median"] * COUNT + ["worst"] * COUNT
    photos = read_crops(test_folders(hr))
    inputs = {(name, text): parse_degradation(text).apply(photos[name], 0, SCALE) for name, text in chosen}
    upscalers = {arm: upscaler(arm, seed, out, inputs) for arm in COLUMNS}
    figure = Figure(figsize=(9.6, 2.25 * len(chosen)), layout="constrained")
    for line, head, key in zip(figure.subplots(len(chosen), 4), heads, chosen, strict=True):
        truth = photos[key[0]]
        top = max((truth.shape[0] - CROP) // 2, 0)
        images = {title: upscalers[arm](key) for arm, title in COLUMNS.items()} | {"truth": truth}
        for panel, (title, pixels) in zip(line, images.items(), strict=True):
            panel.imshow(pixels[top : top + CROP, top : top + CROP].clip(0, 1), interpolation="nearest")
            panel.set_xticks([])
            panel.set_yticks([])
            arm = next((arm for arm, name in COLUMNS.items() if name == title), None)
            panel.set_xlabel(f"{wide.loc[key, arm]:.2f} dB" if arm else "", fontsize=9)
            if key == chosen[0]:
                panel.set_title(title, fontsize=10)
        label = "\n".join([head, key[0].split("/")[1], *key[1].split("+")])
        line[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")
    return figure


def main(hr: Path, out: Path, figures: Path) -> None:
    figures.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(out / "images.csv")
    seeds = int(table[table["arm"] == "ddr"]["seed"].nunique())
    sets = pd.read_csv(out / "sets.csv")
    print(markdown(sets))
    gains_figure(sets, table["photo"].nunique(), seeds).savefig(figures / "guidance-gains.png", dpi=110)
    results_figure(table, hr, out).savefig(figures / "guidance-results.png", dpi=90)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:4]))
