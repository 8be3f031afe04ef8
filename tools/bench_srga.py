"""SRGA beside its published recipe written plainly: seconds, peak memory, disk, and the difference of the scores.

    python tools/bench_srga.py OUT [--patches 800] [--images DIR ...] [--part speed|equality]

speed: one network on clean and blurred patches, both ways in this process, on the same patches with the same threads. The plain way
runs the whole network, keeps every feature in a file, loads it, takes scikit-learn's PCA(300) and drops outliers value by value.
equality: three networks on four sets, the score beside the plain recipe's with exact and with randomized PCA, on half as many patches of
64 px; and with exact PCA whose components have the signs of ours (see docs/generalization.md: the formula depends on them, and they
are arbitrary).
OUT receives ``srga-speed.json`` and ``srga-equality.csv``. Linux only: peak memory is read from /proc.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch
from numpy.typing import NDArray
from scipy.special import gamma
from sklearn.decomposition import PCA

from ddrscope.degradations import parse_degradation
from ddrscope.embedding.gram import gram_matrix
from ddrscope.features import Precision
from ddrscope.features.precision import is_bfloat16_faster
from ddrscope.features.streaming import HasTrunk, last_hr_strips
from ddrscope.generalization.grams import patch_gram
from ddrscope.generalization.patches import PatchSet, cut_degraded, find_source
from ddrscope.generalization.score import set_coefficients, srga
from ddrscope.images import bundled_photos
from ddrscope.io.files import write_json
from ddrscope.networks import Network, load_network

NETWORK = "srresnet-wgr"
PAIR = ("clean", "blur:2")
NETWORKS, SETS = ("srresnet-wgr", "srgan-wgr", "realesr-animevideov3"), ("clean", "blur:2", "noise:10", "jpeg:40")
SIDE, SCALE, BATCH, COMPONENTS = 32, 4, 16, 300
Fit = tuple[float, float]


def main(out: Path, images: list[str], count: int, part: str | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if part != "equality":
        write_json(out / "srga-speed.json", speed(cut_sets(images, PAIR, SIDE, count)))
    if part != "speed":
        pd.DataFrame(equality(cut_sets(images, SETS, SIDE // 2, count // 2))).round(6).to_csv(
            out / "srga-equality.csv", index=False
        )


def cut_sets(images: list[str], texts: tuple[str, ...], side: int, count: int) -> dict[str, PatchSet]:
    source = find_source(images, side, SCALE, 3, count)
    return {text: cut_degraded(source, parse_degradation(text), side, SCALE, 3, 0) for text in texts}


def speed(sets: dict[str, PatchSet]) -> dict[str, Any]:
    network = load_network(NETWORK)
    rate = matmul_rate()
    two = [sets[name] for name in PAIR]
    ours = measured(lambda: our_score(network, two))
    half = measured(lambda: our_score(network, two, "bfloat16")) if is_bfloat16_faster(torch.device("cpu")) else None
    seconds, products, work = our_split(network, two[0])
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="srga-") as folder:
        plain = measured(lambda: plain_score(network, two, Path(folder)))
        disk = sum(path.stat().st_size for path in Path(folder).iterdir())
    (score, _), (plain_one, split) = ours["result"], plain["result"]
    total = sum(split.values())
    return {
        "machine": {"processor": processor(), "threads": torch.get_num_threads(), "date": str(date.today())},
        "versions": {"python": platform.python_version()} | {one.__name__: one.__version__ for one in (torch, sklearn, np)},
        "network": NETWORK,
        "sets": PAIR,
        "patches": len(two[0].patches),
        "ddrscope": {"seconds": ours["seconds"], "peak_gb": ours["peak_gb"], "disk_gb": 0.0, "score": score},
        "ddrscope, bfloat16": half and {"seconds": half["seconds"], "peak_gb": half["peak_gb"], "score": half["result"][0]},
        "plain": {"seconds": plain["seconds"], "peak_gb": plain["peak_gb"], "disk_gb": disk / 1e9, "score": plain_one, "split": split},
        "ratio": {
            "seconds": plain["seconds"] / ours["seconds"],
            "seconds, bfloat16": half and plain["seconds"] / half["seconds"],
            "seconds without the loop over values": (total - split["outliers"]) / ours["seconds"],
            "memory": plain["peak_gb"] / ours["peak_gb"],
        },
        "our split, one set": {"network": seconds, "products": products, "network GFLOP": work / 1e9},
        "matmul GFLOP/s": rate / 1e9,
        "network's share of the matmul rate": work / seconds / rate,
    }  # fmt: skip


def our_score(network: Network, sets: list[PatchSet], precision: Precision = "float32") -> tuple[float, None]:
    fits = []
    for one in sets:
        assert network.last_hr_layer
        gram = patch_gram(network, network.last_hr_layer, one.patches, precision)
        fits.append(set_coefficients(gram, one.photos, COMPONENTS).fit())
    return float(srga(*fits)), None


def our_split(network: Network, one: PatchSet) -> tuple[float, float, float]:
    """Seconds in the network and in the products of features, and the network's floating-point operations."""
    assert isinstance(network.module, HasTrunk)
    started, products = time.perf_counter(), 0.0
    for strip in last_hr_strips(network.module, batches(one.patches), "float32"):
        begun = time.perf_counter()
        gram_matrix(strip, products=np.float32)
        products += time.perf_counter() - begun
    seconds = time.perf_counter() - started - products
    return seconds, products, operations(network, len(one.patches))


def operations(network: Network, count: int) -> float:
    """Of the convolutions up to the last HR layer, a multiplication and an addition counted apart."""
    found = [0.0]
    last = network.module.get_submodule("conv_last")

    def count_one(module: torch.nn.Module, _: Any, output: torch.Tensor) -> None:
        if isinstance(module, torch.nn.Conv2d) and module is not last:
            found[0] += 2 * output.numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(count_one) for module in network.module.modules()]
    network(torch.zeros(1, 3, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    return found[0] * count


def plain_score(network: Network, sets: list[PatchSet], folder: Path) -> tuple[float, dict[str, float]]:
    """The published steps one after the other; returns the score and the seconds of each."""
    split = dict.fromkeys(("network and saving", "loading", "PCA", "outliers", "fit"), 0.0)
    fits: list[Fit] = []
    for one in sets:
        clock = Clock(split)
        path = folder / f"{len(fits)}.npy"
        np.save(path, plain_features(network, one.patches))
        clock.lap("network and saving")
        features = np.load(path)
        clock.lap("loading")
        values = PCA(COMPONENTS, random_state=0).fit_transform(features).ravel()
        del features
        clock.lap("PCA")
        values = np.array([value for value in values if abs(value - values.mean()) <= 5 * values.std()])
        clock.lap("outliers")
        fits.append(plain_fit(values))
        clock.lap("fit")
    return plain_srga(*fits), split


class Clock:
    """Adds the seconds since the last lap to one of several sums."""

    def __init__(self, sums: dict[str, float]) -> None:
        self.sums, self.last = sums, time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.sums[name] += now - self.last
        self.last = now


def plain_features(network: Network, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """The last HR layer (N, C*H*W) of whole forward passes, all in memory."""
    assert network.last_hr_layer
    name = network.last_hr_layer.removesuffix(":input")
    kept: list[NDArray[np.float32]] = []
    hook = network.module.get_submodule(name).register_forward_pre_hook(
        lambda _, inputs: kept.append(inputs[0].flatten(1).numpy())
    )
    for batch in batches(patches):
        network(batch)
    hook.remove()
    return np.concatenate(kept)


def plain_fit(values: NDArray[np.floating]) -> Fit:
    """Scale and shape of the zero-mean generalized Gaussian, the shape by search in a table."""
    square = float(np.square(values, dtype=np.float64).mean())
    deviation = float(np.abs(values - values.mean(dtype=np.float64)).mean())
    shapes = np.arange(0.2, 10, 1e-5)
    shape = shapes[
        np.argmin(np.abs(gamma(1 / shapes) * gamma(3 / shapes) / gamma(2 / shapes) ** 2 - square / deviation**2))
    ]
    return float(np.sqrt(square * gamma(1 / shape) / gamma(3 / shape))), float(shape)


def plain_srga(one: Fit, other: Fit) -> float:
    (scale, shape), (other_scale, other_shape) = one, other
    heights = np.log(shape * other_scale * gamma(1 / other_shape) / (other_shape * scale * gamma(1 / shape)))
    kl = (
        heights + (scale / other_scale) ** other_shape * gamma((other_shape + 1) / shape) / gamma(1 / shape) - 1 / shape
    )
    return float(np.log10(kl + 1e-5) + 5)


def equality(sets: dict[str, PatchSet]) -> list[dict[str, Any]]:
    """The score of each network and set our way and the plain way, with scikit-learn's exact and randomized PCA."""
    rows = []
    for name in NETWORKS:
        network = load_network(name)
        assert network.last_hr_layer
        ours, plain = [], list[dict[str, Fit]]()
        for text in SETS:
            patches, photos = sets[text].patches, sets[text].photos
            gram = patch_gram(network, network.last_hr_layer, patches, "float32")
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
            rows.append(
                row
                | {f"difference_{other}": row["ddrscope"] - row[other] for other in ("exact", "randomized", "signed")}
            )
            print(rows[-1], flush=True)
    return rows


def without_outliers(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values[np.abs(values - values.mean()) <= 5 * values.std()]


def measured(work: Callable[[], Any]) -> dict[str, Any]:
    """What it returns, its seconds, and by how much memory rose above what it began with, at most."""
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory("VmRSS"), time.perf_counter()
    result = work()
    return {"result": result, "seconds": time.perf_counter() - started, "peak_gb": (memory("VmHWM") - before) / 1e9}


def memory(field: str) -> int:
    """Of this process, in bytes: VmRSS now, VmHWM the peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) * 1024


def matmul_rate(kind: torch.dtype = torch.float32) -> float:
    """Floating-point operations a second of a large product."""
    matrix = torch.rand(4096, 4096).to(kind)
    matrix @ matrix
    started = time.perf_counter()
    for _ in range(5):
        matrix @ matrix
    return 5 * 2 * 4096**3 / (time.perf_counter() - started)


def batches(patches: NDArray[np.float32]) -> list[torch.Tensor]:
    return [
        torch.from_numpy(patches[start : start + BATCH]).permute(0, 3, 1, 2).contiguous()
        for start in range(0, len(patches), BATCH)
    ]


def processor() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--patches", type=int, default=800)
    parser.add_argument("--images", nargs="+", default=[str(bundled_photos())])
    parser.add_argument("--part", choices=("speed", "equality"))
    given = parser.parse_args()
    main(given.out, given.images, given.patches, given.part)
