"""Blind super-resolution beside what others published: PSNR-Y, SSIM and LPIPS of any x4 networks on damaged photographs.

    python tools/blind_peers.py HR OUT [NAME=]NETWORK ...

HR holds the folders of `tools/prepare_photos.py`, of which test, and the bundled photographs, are judged by (their middle 256 pixels, as
in `tools/guidance.py`). NETWORK is a name of `ddrscope models list` or a file of weights, NAME what it is called; bicubic enlargement is
added. OUT receives ``peers-images.csv`` and ``peers.csv``: means over the photographs with their 95 % interval (Student's t).
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
from guidance import SCALE, as_batch, held_out

SETS = ("clean", "blur:3", "noise:15", "jpeg:40", "blur:2+noise:10+jpeg:60")
MEASURES = ("psnr", "ssim", "lpips")


def main(hr: Path, out: Path, networks: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    # Without NAME= a network is called as it was typed: files are often all weights.safetensors.
    named = {"bicubic": ""} | {text.partition("=")[0]: text.rpartition("=")[2] for text in networks}
    if len(named) <= len(networks):
        sys.exit("two networks have one name: give them others, NAME=NETWORK")
    parts = joblib.Parallel(joblib.cpu_count())(
        joblib.delayed(judge)(name, network, hr) for name, network in named.items()
    )
    table = pd.DataFrame([row for part in parts for row in part])
    table.round(4).to_csv(out / "peers-images.csv", index=False)
    rows = summary(table)
    rows.round(4).to_csv(out / "peers.csv", index=False)
    print(markdown(rows))


def judge(name: str, spec: str, hr: Path) -> list[dict[str, Any]]:
    """The three measures of a network on each photograph and damage; of bicubic enlargement where ``spec`` is empty."""
    torch.set_num_threads(1)
    perceptual = ShiftTolerantLpips("vgg")
    network = load_network(spec) if spec else None
    rows = []
    for photo, large in held_out((hr / "test", bundled_photos())).items():
        for text in SETS:
            small = parse_degradation(text).apply(large, 0, SCALE)
            with torch.inference_mode():
                made = (
                    resize(small, large.shape[:2])
                    if network is None
                    else network(as_batch(small))[0].permute(1, 2, 0).numpy()
                )
                made = (np.rint(made.clip(0, 1) * 255) / 255).astype(np.float32)
                far = perceptual(as_batch(made), as_batch(large)).item()
            measures = {"psnr": psnr_y(made, large, SCALE), "ssim": ssim_y(made, large, SCALE), "lpips": far}
            rows.append({"network": name, "set": text, "photo": photo} | measures)
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % interval of each measure over the photographs, by network and damage."""
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
    """A line for each network: PSNR-Y, SSIM and LPIPS in each damage."""
    lines = ["| network | " + " | ".join(SETS) + " |", "|" + "---|" * (len(SETS) + 1)]
    for network, part in rows.groupby("network", sort=False):
        cells = [f"{row['psnr']:.2f} / {row['ssim']:.3f} / {row['lpips']:.3f}" for _, row in part.iterrows()]
        lines.append(f"| `{network}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
