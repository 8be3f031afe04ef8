"""Compare blind super-resolution networks: PSNR-Y, SSIM and LPIPS of x4 networks on degraded photographs.

    python -m experiments.guidance.compare_published HR OUT [NAME=]NETWORK ...

HR holds the folders of `make photos`: test and the bundled photographs are used, their central 256 pixels as in
`experiments.guidance.run`. NETWORK is a name of `ddrscope models list` or a file of weights, NAME its label; bicubic upscaling is added.
OUT receives ``published-images.csv`` and ``published.csv``: means over the photographs with their 95 % interval (Student's t).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import t as student_t

from ddrscope.degradations import parse_degradation, resize
from ddrscope.images import bundled_photos
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.networks import load_network
from ddrscope.training.perceptual import ShiftTolerantLpips
from experiments.guidance.run import SCALE, as_batch, read_crops

SETS = ("clean", "blur:3", "noise:15", "jpeg:40", "blur:2+noise:10+jpeg:60")
MEASURES = ("psnr", "ssim", "lpips")


def main(hr: Path, out: Path, networks: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    # The label of a network without NAME= is its full text: files are often called weights.safetensors.
    labels = {"bicubic": ""} | {text.partition("=")[0]: text.rpartition("=")[2] for text in networks}
    if len(labels) <= len(networks):
        sys.exit("two networks have the same name: give NAME=NETWORK")
    parts = joblib.Parallel(joblib.cpu_count())(
        joblib.delayed(evaluate)(name, network, hr) for name, network in labels.items()
    )
    table = pd.DataFrame([row for part in parts for row in part])
    table.round(4).to_csv(out / "published-images.csv", index=False)
    rows = summary(table)
    rows.round(4).to_csv(out / "published.csv", index=False)
    print(markdown(rows))


def evaluate(name: str, spec: str, hr: Path) -> list[dict[str, Any]]:
    """The measures of a network on each photograph and degradation; of bicubic upscaling if ``spec`` is empty."""
    torch.set_num_threads(1)
    perceptual = ShiftTolerantLpips("vgg")
    network = load_network(spec) if spec else None
    rows = []
    for photo, large in read_crops((hr / "test", bundled_photos())).items():
        for text in SETS:
            small = parse_degradation(text).apply(large, 0, SCALE)
            with torch.inference_mode():
                output = (
                    resize(small, large.shape[:2])
                    if network is None
                    else network(as_batch(small))[0].permute(1, 2, 0).numpy()
                )
                output = (np.rint(output.clip(0, 1) * 255) / 255).astype(np.float32)
                lpips = perceptual(as_batch(output), as_batch(large)).item()
            measures = {"psnr": psnr_y(output, large, SCALE), "ssim": ssim_y(output, large, SCALE), "lpips": lpips}
            rows.append({"network": name, "set": text, "photo": photo} | measures)
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % interval of each measure over the photographs, by network and degradation."""
    rows = []
    for (network, text), part in table.groupby(["network", "set"], sort=False):
        row: dict[str, Any] = {"network": network, "set": text, "photographs": len(part)}
        for measure in MEASURES:
            row |= dict(
                zip((measure, f"{measure}_low", f"{measure}_high"), interval(part[measure].to_numpy()), strict=True)
            )
        rows.append(row)
    return pd.DataFrame(rows)


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    mean = float(values.mean())
    reach = float(student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def markdown(rows: pd.DataFrame) -> str:
    """A row per network: PSNR-Y, SSIM and LPIPS for each degradation."""
    lines = ["| network | " + " | ".join(SETS) + " |", "|" + "---|" * (len(SETS) + 1)]
    for network, part in rows.groupby("network", sort=False):
        cells = [f"{row['psnr']:.2f} / {row['ssim']:.3f} / {row['lpips']:.3f}" for _, row in part.iterrows()]
        lines.append(f"| `{network}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
