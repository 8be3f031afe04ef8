"""Measure deep degradation representations of published networks.

    python -m experiments.published_networks.run CHECKOUTS IMAGES OUT [--only TEXT]

CHECKOUTS holds a clone of each repository of ``catalog.csv``, as OWNER+NAME, at its commit; IMAGES is a folder of clean images, one of
each photograph, such as BSD100, or ``bundled``. Each network appends a line to ``OUT/measurements.jsonl``; networks with a line are not
measured again, but for those that failed. The code of the checkouts is run.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import ddrscope
from ddrscope.degradations import shrink
from ddrscope.images import find_images, read_image
from ddrscope.metrics.image_quality import psnr_y
from ddrscope.networks import Network
from ddrscope.networks.residual_path import measure_residual_path
from experiments.published_networks.checkouts import challenge_module, run_without_gpu

CATALOG = Path(__file__).parent / "catalog.csv"
CROP = 96
MEASURES = ("degradation_share", "content_share", "chi_pca", "knn_accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("images")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="only networks whose name contains this")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    run_without_gpu()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "measurements.jsonl"
    # Networks that failed are tried again.
    lines = [line for line in path.read_text().splitlines() if "error" not in json.loads(line)] if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in lines))
    done = {json.loads(line)["name"] for line in lines}
    bundled = arguments.images == "bundled"
    images = [] if bundled else [arguments.images]
    for entry in read_catalog():
        if entry["name"] in done or arguments.only not in entry["name"]:
            continue
        started = time.monotonic()
        try:
            network = load(entry, arguments.checkouts)
            row = describe(network, images) | measure(network, images, "prefix" if bundled else "name")
        # Code and weights of others fail in any way; the row says how.
        except Exception as error:
            row = {"error": f"{type(error).__name__}: {error}"[:300]}
        row = {"name": entry["name"], **row, "seconds": round(time.monotonic() - started, 1)}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["name"], row.get("error", row.get("pooled", {}).get("degradation_share")), flush=True)


def read_catalog() -> list[dict[str, str]]:
    """The rows of ``catalog.csv``."""
    with CATALOG.open(newline="") as file:
        return list(csv.DictReader(file))


def load(entry: dict[str, str], checkouts: Path) -> Network:
    """A network of the catalogue: a team of a challenge, or a checkpoint."""
    folder = checkouts / entry["repository"].replace("/", "+")
    if entry["year"]:
        return ddrscope.as_network(challenge_module(folder, int(entry["item"])), entry["name"])
    network = ddrscope.load_network(folder / entry["item"])
    return ddrscope.as_network(network.module, entry["name"]) if network.run is None else network


def describe(network: Network, images: list[str]) -> dict[str, Any]:
    """What was found about a network, its quality, and a hash of its output by which duplicates are found."""
    pairs = [quality(network, path) for path in list(find_images(images or [ddrscope.bundled_photos()]))[:30]]
    path = measure_residual_path(network.module, network.channels, network.scale, network)
    output = network(torch.linspace(0, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)).clamp(0, 1)
    return {
        "architecture": network.architecture,
        "parameters": network.parameters,
        "scale": network.scale,
        "last_hr_layer": network.last_hr_layer,
        "residual": path.interpolation or ("none" if path.decided else "unknown"),
        "output": hashlib.sha256(np.rint(255 * output.numpy()).astype(np.uint8).tobytes()).hexdigest(),
        "psnr": float(np.mean([own for own, _ in pairs])),
        "psnr_bicubic": float(np.mean([bicubic for _, bicubic in pairs])),
    }


def quality(network: Network, path: Any) -> tuple[float, float]:
    """PSNR-Y of a network and of bicubic interpolation on the centre of an image, in dB."""
    pixels = read_image(path).pixels
    scale = network.scale
    side = min(192, *(length // (4 * scale) * 4 * scale for length in pixels.shape[:2]))
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    large = pixels[top : top + side, left : left + side]
    batch = torch.from_numpy(np.ascontiguousarray(shrink(large, scale).transpose(2, 0, 1)))[None].float()
    bicubic = functional.interpolate(batch, scale_factor=scale, mode="bicubic", align_corners=False)
    own, plain = (
        psnr_y(each[0].clamp(0, 1).permute(1, 2, 0).numpy(), large, border=scale) for each in (network(batch), bicubic)
    )
    return own, plain


def measure(network: Network, images: list[str], photo_from: str) -> dict[str, Any]:
    """The measures of the last HR layer in both views, and the degradation share with random weights."""
    result = ddrscope.analyze(
        network, images, layers=(), crop=CROP, tsne_seeds=1, precision="float32", photo_from=photo_from
    )
    row: dict[str, Any] = {"images": result.images, "size": result.networks[0].summary.last_hr_layer_size}
    (random,) = (control for control in result.controls if control.kind == "random_weights")
    for layer, control in zip(result.networks[0].layers, random.layers, strict=True):
        row[layer.view] = {name: _interval(getattr(layer, name)) for name in MEASURES}
        row[layer.view]["random_weights"] = _interval(control.degradation_share)
    return row


def _interval(estimate: ddrscope.Estimate) -> list[float]:
    return [round(float(value), 6) for value in (estimate.value, estimate.low, estimate.high)]


if __name__ == "__main__":
    main()
