"""Draw the results of `experiments.specialists.run`: scores against level, example outputs, t-SNE of the last HR layer.

    python -m experiments.specialists.figures OUT FIGURES

OUT is the folder of the run. It also receives ``gains.csv``: PSNR over bicubic upscaling on the bundled photographs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ddrscope.analysis import analyze
from ddrscope.degradations import parse_degradation, resize
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.metrics.image_quality import psnr_y
from ddrscope.networks import Network
from ddrscope.results.layers import in_view
from ddrscope.viz.style import CONTROL_COLOR, group_style
from experiments.specialists.run import DEGRADATIONS, SEEDS, load_all

INPUTS = ("clean", "blur:3", "noise:15", "blur:3+noise:15")
TITLES = {"clean": "trained on clean", "blur": "on blur 0 to 4", "noise": "on noise 0 to 20", "both": "on both"}
SCALE = 4
# The bundled image of the figure, and the corner and side of its crop in pixels: fine hair shows lost detail.
IMAGE, CORNER, SIDE = "chelsea__1", (40, 60), 120
Pixels = NDArray[np.float32]


def srga_figure(scores: pd.DataFrame) -> Figure:
    """Score against level: mean over seeds, a thin line for each seed. The trained range is grey."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    for panel, (family, unit, reach) in zip(
        figure.subplots(1, 2, sharey=True),
        (("blur", "blur: sigma in HR pixels", 4), ("noise", "noise: sigma of 255", 20)),
        strict=True,
    ):
        panel.axvspan(0, reach, color="#eeeeee", zorder=0)
        rows = scores[scores["set"].str.fullmatch(rf"{family}:[\d.]+")]
        rows = rows.assign(level=rows["set"].str.split(":").str[1].astype(float))
        for index, kind in enumerate(DEGRADATIONS):
            color, marker = group_style(index)
            of_kind = rows[rows["network"].str.startswith(f"{kind}-")]
            for _, curve in of_kind.groupby("network"):
                panel.plot(curve["level"], curve["srga"], color=color, linewidth=0.7, alpha=0.6)
            mean = of_kind.groupby("level")["srga"].mean()
            panel.plot(mean.index, mean, color=color, marker=marker, markersize=5, linewidth=2)
        panel.axhline(scores["floor"].mean(), color=CONTROL_COLOR, linestyle=":")
        panel.set_xlim(0, None)
        panel.set_xlabel(f"{unit} (grey: trained range)")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("SRGA (0: as on clean images)")
    styles = [(title, *group_style(index)) for index, title in enumerate(TITLES.values())]
    handles = [Line2D([], [], color=color, marker=marker, label=title) for title, color, marker in styles]
    handles.append(Line2D([], [], color=CONTROL_COLOR, linestyle=":", label="floor, mean of networks"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    patches, photos = int(scores["patches"].iloc[0]), int(scores["photos"].iloc[0])
    figure.suptitle(
        f"smaller is better; {len(SEEDS)} seeds (thin) and their mean; {patches} patches per set from {photos} held-out photographs",
        fontsize=10,
    )
    return figure


def images_figure(networks: dict[str, Network]) -> Figure:
    """A row per degradation: bicubic upscaling, the seed-0 network of each kind, the truth, with the PSNR of each crop."""
    truth = read_image(find_images([bundled_photos() / f"{IMAGE}.png"])[0]).pixels
    figure = Figure(figsize=(2.1 * 6, 2.25 * len(INPUTS) + 0.4), layout="constrained")
    axes = figure.subplots(len(INPUTS), 6)
    inside = tuple(slice(start, start + SIDE) for start in CORNER)
    for line, text in zip(axes, INPUTS, strict=True):
        small = parse_degradation(text).apply(truth, 0, SCALE)
        images = (
            {"bicubic": bicubic(small)}
            | {TITLES[kind]: output(networks[f"{kind}-0"], small) for kind in DEGRADATIONS}
            | {"truth": truth}
        )
        for panel, (title, pixels) in zip(line, images.items(), strict=True):
            panel.imshow(pixels[inside])
            panel.set_xticks([])
            panel.set_yticks([])
            psnr = "" if title == "truth" else f"{psnr_y(pixels[inside], truth[inside], 0):.1f} dB"
            panel.set_xlabel(psnr, fontsize=9)
            if text == INPUTS[0]:
                panel.set_title(title, fontsize=10)
        line[0].set_ylabel(text, fontsize=10, fontweight="bold")
    return figure


def maps_figure(networks: dict[str, Network]) -> Figure:
    """t-SNE of the last HR layer of the seed-0 network of each kind, flattened above, pooled below, colored by degradation."""
    selected = [networks[f"{kind}-0"] for kind in DEGRADATIONS]
    result = analyze(selected, degradations=INPUTS, layers=["conv_last:input"], tsne_seeds=1, precision="float32")
    figure = Figure(figsize=(3 * len(DEGRADATIONS), 6.8), layout="constrained")
    planes = result.embedding[result.embedding["control"] == ""]
    for line, view in zip(figure.subplots(2, len(DEGRADATIONS)), ("flattened", "pooled"), strict=True):
        for panel, (kind, entry) in zip(line, zip(DEGRADATIONS, result.networks, strict=True), strict=True):
            points = planes[(planes["network"] == f"{kind}-0") & (planes["view"] == view)]
            for index, text in enumerate(INPUTS):
                color, marker = group_style(index)
                group = points[points["degradation"] == text]
                panel.scatter(
                    group["x"], group["y"], s=22, color=color, marker=marker, edgecolors="white", linewidths=0.3
                )
            panel.set_xticks([])
            panel.set_yticks([])
            layer = in_view(entry.layers, view)[0]
            panel.set_title(f"{TITLES[kind]}\nCHI {layer.chi_pca}", fontsize=9)
        line[0].set_ylabel(f"{view} features", fontweight="bold")
    styles = [(text, *group_style(index)) for index, text in enumerate(INPUTS)]
    handles = [Line2D([], [], linestyle="", color=color, marker=marker, label=text) for text, color, marker in styles]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(
        "t-SNE of the last HR layer; CHI by degradation on PCA-50 [95 %]; "
        f"{result.images} images of {result.photos} photographs",
        fontsize=10,
    )
    return figure


def gains(networks: dict[str, Network]) -> list[dict[str, Any]]:
    """PSNR-Y over bicubic upscaling of the same input, for every photograph, network and degradation."""
    rows = []
    for file in find_images([bundled_photos()]):
        truth = read_image(file).pixels
        for text in INPUTS:
            small = parse_degradation(text).apply(truth, 0, SCALE)
            base = psnr_y(bicubic(small), truth, SCALE)
            for name, network in networks.items():
                kind, seed = name.split("-")
                gain = psnr_y(output(network, small), truth, SCALE) - base
                rows.append({"kind": kind, "seed": int(seed), "degradation": text, "photo": file.photo, "gain": gain})
    return rows


def summary(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Mean gain over photographs and seeds with a 95 % bootstrap interval over photographs."""
    means = []
    random = np.random.default_rng(0)
    for (kind, text), group in pd.DataFrame(rows).groupby(["kind", "degradation"], sort=False):
        by_photo = group.groupby("photo")["gain"].mean().to_numpy()
        resampled = by_photo[random.integers(len(by_photo), size=(2000, len(by_photo)))].mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        means.append(
            {
                "kind": kind, "degradation": text, "gain": by_photo.mean(), "gain_low": low, "gain_high": high,
                "photos": len(by_photo), "seeds": group["seed"].nunique(),
            }
        )  # fmt: skip
    return pd.DataFrame(means)


def bicubic(small: Pixels) -> Pixels:
    return as_saved(resize(small, (small.shape[0] * SCALE, small.shape[1] * SCALE)))


def output(network: Network, small: Pixels) -> Pixels:
    return as_saved(network(torch.from_numpy(small).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy())


def as_saved(pixels: NDArray[Any]) -> Pixels:
    return (np.rint(np.clip(pixels, 0, 1) * 255) / 255).astype(np.float32)


def main(out: Path, figures: Path) -> None:
    networks = {network.name: network for network in load_all(out)}
    summary(gains(networks)).round(3).to_csv(out / "gains.csv", index=False)
    drawn = {
        "specialists-srga": srga_figure(pd.read_csv(out / "scores.csv")),
        "specialists-images": images_figure(networks),
        "specialists-maps": maps_figure(networks),
    }
    for name, figure in drawn.items():
        figure.savefig(figures / f"{name}.png", dpi=110)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
