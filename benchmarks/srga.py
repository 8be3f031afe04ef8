"""Compare SRGA with its published recipe, written plainly: seconds, peak memory, disk space, and scores.

    python -m benchmarks.srga OUT [--patches 800] [--images DIR ...] [--part speed|equality]

speed: one network on clean and blurred patches, both ways in this process, on the same patches with the same threads. The plain recipe
runs the whole network, saves every feature to a file, loads it, applies scikit-learn's PCA(300) and drops outliers one by one.
equality: three networks on four sets, on half as many patches of 64 pixels: the score, that of the plain recipe with exact and with
randomized PCA, and with exact PCA whose components have the signs of ours (the formula depends on them, and they are arbitrary).
OUT receives ``srga-speed.json`` and ``srga-equality.csv``. Linux only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from benchmarks.machine import describe, matmul_rate, measured
from benchmarks.srga_recipe import (
    COMPONENTS,
    Fit,
    batches,
    plain_features,
    plain_fit,
    plain_score,
    plain_srga,
    without_outliers,
)
from ddrscope.embedding.gram import gram_matrix
from ddrscope.features import Precision
from ddrscope.features.precision import is_bfloat16_faster
from ddrscope.features.streaming import HasTrunk, stream_last_hr_layer
from ddrscope.generalization import GeneralizationSettings
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.feature_grams import feature_gram
from ddrscope.generalization.patches import PatchCutter, PatchSet
from ddrscope.generalization.plan import plan_sets
from ddrscope.generalization.score import set_coefficients, srga
from ddrscope.images import bundled_photos
from ddrscope.io.files import write_json
from ddrscope.networks import Network, load_network

NETWORK = "srresnet-wgr"
PAIR = ("clean", "blur:2")
NETWORKS, SETS = ("srresnet-wgr", "srgan-wgr", "realesr-animevideov3"), ("clean", "blur:2", "noise:10", "jpeg:40")
SIDE, SCALE = 32, 4


def main(out: Path, images: list[str], count: int, part: str | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if part != "equality":
        write_json(out / "srga-speed.json", speed(cut_sets(images, PAIR, SIDE, count)))
    if part != "speed":
        rows = equality(cut_sets(images, SETS, SIDE // 2, count // 2))
        pd.DataFrame(rows).round(6).to_csv(out / "srga-equality.csv", index=False)


def cut_sets(images: list[str], texts: tuple[str, ...], side: int, count: int) -> dict[str, PatchSet]:
    settings = GeneralizationSettings((), tuple(images), texts, patches=count, patch=side * SCALE, components=1)
    decoded = DecodedImages(channels=3)
    with PatchCutter(plan_sets(settings, SCALE, 3, decoded), decoded) as cutter:
        return {text: cutter.load(text) for text in texts}


def speed(sets: dict[str, PatchSet]) -> dict[str, Any]:
    """Seconds, memory, disk space and score of both ways."""
    network = load_network(NETWORK)
    rate = matmul_rate()
    pair = [sets[name] for name in PAIR]
    ours = measured(lambda: our_score(network, pair))
    half = measured(lambda: our_score(network, pair, "bfloat16")) if is_bfloat16_faster(torch.device("cpu")) else None
    seconds, products, work = our_split(network, pair[0])
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="srga-") as folder:
        plain = measured(lambda: plain_score(network, pair, Path(folder)))
        disk = sum(path.stat().st_size for path in Path(folder).iterdir())
    score, split = plain.pop("result")
    total = sum(split.values())
    return describe(("torch", "scikit-learn", "numpy")) | {
        "network": NETWORK,
        "sets": PAIR,
        "patches": len(pair[0].patches),
        "ddrscope": _renamed(ours) | {"disk_gb": 0.0},
        "ddrscope, bfloat16": half and _renamed(half),
        "plain": plain | {"disk_gb": disk / 1e9, "score": score, "split": split},
        "ratio": {
            "seconds": plain["seconds"] / ours["seconds"],
            "seconds, bfloat16": half and plain["seconds"] / half["seconds"],
            "seconds without the loop over values": (total - split["outliers"]) / ours["seconds"],
            "memory": plain["peak_gb"] / ours["peak_gb"],
        },
        "our split, one set": {"network": seconds, "products": products, "network GFLOP": work / 1e9},
        "matmul GFLOP/s": rate / 1e9,
        "network's share of the matmul rate": work / seconds / rate,
    }


def _renamed(measurement: dict[str, Any]) -> dict[str, Any]:
    return {"score" if key == "result" else key: value for key, value in measurement.items()}


def our_score(network: Network, sets: list[PatchSet], precision: Precision = "float32") -> float:
    fits = []
    for patch_set in sets:
        assert network.last_hr_layer
        gram = feature_gram(network, network.last_hr_layer, patch_set.patches, precision)
        fits.append(set_coefficients(gram, patch_set.photos, COMPONENTS).fit())
    return float(srga(*fits))


def our_split(network: Network, patch_set: PatchSet) -> tuple[float, float, float]:
    """Seconds in the network and in the products of features, and the floating-point operations of the network."""
    assert isinstance(network.module, HasTrunk)
    started, products = time.perf_counter(), 0.0
    for block in stream_last_hr_layer(network.module, batches(patch_set.patches), "float32"):
        block_started = time.perf_counter()
        gram_matrix(block, products=np.float32)
        products += time.perf_counter() - block_started
    seconds = time.perf_counter() - started - products
    return seconds, products, operations(network, len(patch_set.patches))


def operations(network: Network, count: int) -> float:
    """Multiplications and additions of the convolutions up to the last HR layer."""
    total = 0.0
    last = network.module.get_submodule("conv_last")

    def add(module: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, torch.nn.Conv2d) and module is not last:
            total += 2 * output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(add) for module in network.module.modules()]
    network(torch.zeros(1, 3, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    return total * count


def equality(sets: dict[str, PatchSet]) -> list[dict[str, Any]]:
    """The scores of each network and set: ours, and those of the plain recipe with exact and with randomized PCA."""
    rows = []
    for name in NETWORKS:
        network = load_network(name)
        assert network.last_hr_layer
        ours, plain = [], list[dict[str, Fit]]()
        for text in SETS:
            patches, photos = sets[text].patches, sets[text].photos
            gram = feature_gram(network, network.last_hr_layer, patches, "float32")
            ours.append(set_coefficients(gram, photos, COMPONENTS).fit())
            features = plain_features(network, patches)
            fits: dict[str, Fit] = {}
            for solver in ("full", "randomized"):
                values = PCA(COMPONENTS, svd_solver=solver, random_state=0).fit_transform(features)
                fits[solver] = plain_fit(without_outliers(values.ravel()))
                if solver == "full":
                    largest = values[np.abs(values).argmax(axis=0), np.arange(values.shape[1])]
                    fits["signed"] = plain_fit(without_outliers((values * np.sign(largest)).ravel()))
            plain.append(fits)
            row = {
                "network": name, "set": text, "patches": len(patches), "features": features.shape[1],
                "ddrscope": float(srga(ours[0], ours[-1])), "exact": plain_srga(plain[0]["full"], fits["full"]),
                "randomized": plain_srga(plain[0]["randomized"], fits["randomized"]),
                "signed": plain_srga(plain[0]["signed"], fits["signed"]),
            }  # fmt: skip
            differences = {f"difference_{way}": row["ddrscope"] - row[way] for way in ("exact", "randomized", "signed")}
            rows.append(row | differences)
            print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patches", type=int, default=800)
    parser.add_argument("--images", nargs="+", default=[str(bundled_photos())])
    parser.add_argument("--part", choices=("speed", "equality"))
    arguments = parser.parse_args()
    main(arguments.out, arguments.images, arguments.patches, arguments.part)
