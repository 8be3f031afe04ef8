"""Judge the claims on the measurements of `experiments.published_networks.run`, and draw the figure of the page.

    python -m experiments.published_networks.summarize OUT RESULTS

OUT is the folder of a run. RESULTS receives ``networks.csv``, ``verdicts.json`` and ``figures/residual.png``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ddrscope.viz.style import group_style
from experiments.published_networks.rules import adversarial_above, compare_residuals, grows_with_training
from experiments.published_networks.run import read_catalog

VIEWS = ("flattened", "pooled")
PAIRS = (("PCARN-M-L1", "PCARN-M"), ("SPAN ch48", "SPANkendata"))
SERIES = ("SRGAN jiejlu epoch", "SRGAN kodeking epoch")
# Of the logarithmic axis: smaller shares are drawn there.
SMALLEST = 1e-4
TITLES = {"exploratory": "2022, 2024 and others\n(exploratory)", "confirmation": "2025 and 2026\n(confirmation)"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    table = read_table(arguments.out / "measurements.jsonl")
    (arguments.results / "figures").mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.results / "networks.csv", index=False, float_format="%.6g")
    verdicts = judge(table)
    (arguments.results / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n")
    residual_figure(table).savefig(arguments.results / "figures" / "residual.png", dpi=160)
    print(json.dumps(verdicts, indent=1))


def read_table(path: Path) -> pd.DataFrame:
    """The catalogue joined with the measurements: a row for each network, with what excludes it from C2, if anything."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    measured = pd.json_normalize([row for row in rows if "error" not in row])
    errors = pd.DataFrame([row for row in rows if "error" in row], columns=["name", "error"])
    for column in [str(name) for name in measured if str(name).startswith(VIEWS)]:
        values = np.array(measured[column].to_list())
        for index, end in enumerate(("", "_low", "_high")):
            measured[column + end] = values[:, index]
    catalog = pd.DataFrame(read_catalog())
    table = catalog.merge(measured, on="name", how="left").merge(errors, on="name", how="left")
    table["excluded"] = [_why_excluded(table.iloc[index], table.iloc[:index]) for index in range(len(table))]
    return table


def _why_excluded(row: pd.Series, before: pd.DataFrame) -> str:
    """Why a network is not among those that are compared for C2; an empty string if it is."""
    if pd.isna(row.psnr):
        return "not measured"
    if row.loss == "degraded":
        return "trained on degraded images"
    if row.note == "epoch":
        return "an earlier epoch of another"
    if row.scale != 4 or row.psnr <= row.psnr_bicubic:
        return "not above bicubic at x4"
    if row.residual == "unknown":
        return "residual unknown"
    same = before[before.output == row.output]
    return f"equals {same.name.iloc[0]}" if len(same) else ""


def compared(table: pd.DataFrame, view: str) -> pd.DataFrame:
    """The networks that are compared for C2: pixel loss, with ``residual`` as bool and ``share``."""
    rows = table[(table.excluded == "") & (table.loss == "pixel")]
    return rows.assign(
        interpolation=rows.residual, residual=rows.residual != "none", share=rows[f"{view}.degradation_share"]
    )


def judge(table: pd.DataFrame) -> dict[str, Any]:
    """The verdicts on C2, C3 and C6 in both views, as JSON values."""
    known = table[(table.residual_read != "") & table.residual.notna()]
    wrong = known[(known.residual_read == "none") != (known.residual == "none")]
    verdicts: dict[str, Any] = {
        "networks": {
            "in the catalogue": len(table),
            "measured": int(table.psnr.notna().sum()),
            "excluded": table[table.excluded != ""].groupby("excluded").size().to_dict(),
        },
        "residual measured as read in the source": {"networks": len(known), "errors": wrong.name.to_list()},
    }
    for view in VIEWS:
        rows = compared(table, view)
        verdicts[f"C2 {view}"] = {
            part: asdict(compare_residuals(rows[rows.part == part])) for part in ("exploratory", "confirmation")
        }
        verdicts[f"C3 {view}"] = {f"{one} / {other}": _pair(table, view, one, other) for one, other in PAIRS}
        verdicts[f"C6 {view}"] = {name: _series(table, view, name) for name in SERIES}
    return verdicts


def _share(table: pd.DataFrame, view: str, name: str) -> tuple[float, float, float]:
    values = table[table.name == name].iloc[0]
    value, low, high = (float(values[f"{view}.degradation_share{end}"]) for end in ("", "_low", "_high"))
    return value, low, high


def _pair(table: pd.DataFrame, view: str, pixel: str, adversarial: str) -> dict[str, Any]:
    one, other = (_share(table, view, name) for name in (pixel, adversarial))
    return {"pixel": one, "adversarial": other, "verdict": adversarial_above(one, other)}


def _series(table: pd.DataFrame, view: str, name: str) -> dict[str, Any]:
    rows = table[table.name.str.startswith(name) & table.psnr.notna()]
    epochs = [int(text.rpartition(" ")[2]) for text in rows.name]
    shares = rows[f"{view}.degradation_share"].to_list()
    if len(epochs) < 3:
        return {"verdict": "not measured"}
    order, holds = grows_with_training(epochs, shares)
    verdict = "holds" if holds else "does not hold"
    return {"epochs": epochs, "shares": shares, "rank correlation": order, "verdict": verdict}


def residual_figure(table: pd.DataFrame) -> Figure:
    """Degradation shares of the last HR layer by global residual, a mark for each network."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axes = figure.subplots(1, 4)
    panels = [(view, part) for view in VIEWS for part in TITLES]
    for axis, (view, part) in zip(axes, panels, strict=True):
        rows = compared(table, view)
        _draw(axis, rows[rows.part == part])
        axis.set_title(f"{view}\n{TITLES[part]}", fontsize=9)
    axes[0].set_ylabel("degradation share of the variance, last HR layer")
    for axis in axes[:2]:
        axis.set(yscale="log", ylim=(SMALLEST, 1))
        axis.set_yticks([1e-4, 1e-3, 1e-2, 0.1, 1], ["≤ 0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
    for axis in axes[2:]:
        axis.set_ylim(0, 1)
        axis.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    handles = [
        axes[0].scatter([], [], color=group_style(0)[0], marker="o", label="with global residual"),
        axes[0].scatter([], [], color=group_style(1)[0], marker="^", label="without"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    title = "Published x4 networks, BSD100: clean, blur (sigma 4 HR pixels), noise (sigma 20 of 255); lines: medians"
    figure.suptitle(title, fontsize=10)
    return figure


def _draw(axis: Axes, rows: pd.DataFrame) -> None:
    for index, residual in enumerate((True, False)):
        shares = np.sort(rows[rows.residual == residual].share.to_numpy()).clip(SMALLEST)
        color, marker = group_style(index)
        # Side by side in the order of their shares, so that marks do not hide each other.
        offsets = np.resize([0.0, 0.13, -0.13, 0.26, -0.26], len(shares))
        axis.scatter(index + offsets, shares, s=26, color=color, marker=marker, alpha=0.8, lw=0, clip_on=False)
        if len(shares):
            axis.hlines(np.median(shares), index - 0.4, index + 0.4, color=color, linewidth=1.5)
    count = rows.groupby("residual").size()
    axis.set_xticks([0, 1], [f"with\nn = {count.get(True, 0)}", f"without\nn = {count.get(False, 0)}"])
    axis.set_xlim(-0.6, 1.6)
    axis.grid(axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
