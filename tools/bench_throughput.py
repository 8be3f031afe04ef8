"""How fast features come, beside the plain way and other runtimes, and whether bfloat16 moves any measure.

    python tools/bench_throughput.py OUT [--images 512] [--part speed|stages|identify|measures]

speed: pooled features of all residual blocks of `srgan-wgr` for patches of 32 x 32 pixels, in one process, on the same pixels with the same
threads: the plain way (float32, hooks, the whole network, an image at a time), ours, and the same trunk through `torch.compile`, ONNX
Runtime and OpenVINO. The ways take turns, three times over; the median counts.
stages: where the time of `ddrscope features` goes, from the file to the file: decoding, degrading, network, pooling, writing.
measures: every measure of an analysis in float32 and in bfloat16, and by how much of its interval they differ.
identify: images a second, in this process and on a local Ray cluster of a worker for each core.
OUT receives ``throughput.json``, ``identify.json`` and ``bfloat16.csv``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bench_srga import matmul_rate, processor
from ddrscope.analysis import analyze
from ddrscope.batch.executors import run_on_cluster
from ddrscope.batch.shards import DIGEST, pack
from ddrscope.degradations import parse_degradation
from ddrscope.features import collect_features
from ddrscope.features.precision import is_bfloat16_faster
from ddrscope.features.views import pool_features
from ddrscope.identification import IdentifyTask
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.io.files import write_json
from ddrscope.networks import Network, SRResNet, load_network

NETWORK, SIDE, BATCH, TURNS = "srgan-wgr", 32, 16, 3
LIBRARIES = ("torch", "onnxruntime", "openvino", "numpy")
Pooled = NDArray[np.float32]


def main(out: Path, count: int, part: str | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if part in (None, "speed", "stages"):
        network, pixels = load_network(NETWORK), patches(count)
        found: dict[str, Any] = {
            "machine": {"processor": processor(), "threads": torch.get_num_threads(), "date": str(date.today())},
            "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES},
            "network": NETWORK, "images": count, "side": SIDE,
        }  # fmt: skip
        if part != "stages":
            found |= speed(network, pixels)
        if part != "speed":
            found["stages"] = stages(network, count)
        write_json(out / "throughput.json", found)
    if part in (None, "identify"):
        write_json(out / "identify.json", identify_rates())
    if part in (None, "measures"):
        measures().to_csv(out / "bfloat16.csv", index=False)


def patches(count: int) -> Tensor:
    """(count, 3, SIDE, SIDE) cut from the bundled photographs."""
    photos = [read_image(file).pixels for file in find_images([bundled_photos()])]
    rng = np.random.default_rng(0)
    cut = []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (rng.integers(0, side - SIDE + 1) for side in photo.shape[:2])
        cut.append(photo[top : top + SIDE, left : left + SIDE])
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous()


def speed(network: Network, pixels: Tensor) -> dict[str, Any]:
    module = network.module
    assert isinstance(module, SRResNet)
    layers = [name for name in network.layers if name.startswith("body.")]
    exact = plain(network, layers, pixels)
    ways: dict[str, Callable[[], Pooled]] = {
        "plain": lambda: plain(network, layers, pixels),
        "ddrscope, float32": lambda: ours(network, layers, pixels, "float32"),
        "ddrscope, bfloat16": lambda: ours(network, layers, pixels, "bfloat16"),
    }
    compiled = torch.compile(Trunk(module), dynamic=False)
    ways["torch.compile, bfloat16"] = lambda: batched(lambda batch: run_bfloat16(compiled, batch), pixels)
    ways |= other_runtimes(module, pixels)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    differences = {}
    for name, way in ways.items():
        # The first run of each compiles, warms caches, and is compared with the plain way's numbers.
        differences[name] = float(np.abs(way() - exact).max() / np.abs(exact).max())
    for _ in range(TURNS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    rates = {name: len(pixels) / statistics.median(values) for name, values in seconds.items()}
    network_only = statistics.median(trunk_seconds(module, pixels) for _ in range(TURNS))
    kind = torch.bfloat16 if is_bfloat16_faster(torch.device("cpu")) else torch.float32
    peak = statistics.median(matmul_rate(kind) for _ in range(TURNS))
    work = trunk_operations(module) * len(pixels)
    return {
        "images per second": rates,
        "times the plain way": {name: rate / rates["plain"] for name, rate in rates.items()},
        "largest difference, of the largest feature": differences,
        "network alone": {
            "precision": str(kind).removeprefix("torch."), "images per second": len(pixels) / network_only,
            "GFLOP/s": work / network_only / 1e9, "matmul GFLOP/s": peak / 1e9, "share": work / network_only / peak,
        },
    }  # fmt: skip


def plain(network: Network, layers: list[str], pixels: Tensor) -> Pooled:
    """What one writes in five minutes: hooks, the whole network, float32, an image at a time."""
    kept: list[Tensor] = []
    hooks = [
        network.module.get_submodule(name).register_forward_hook(lambda _m, _i, output: kept.append(output))
        for name in layers
    ]
    rows = []
    with torch.no_grad():
        for one in pixels:
            kept.clear()
            network.module(one[None])
            rows.append(
                torch.cat([torch.cat([f.mean((0, 2, 3)), f.std((0, 2, 3), correction=0)]) for f in kept]).numpy()
            )
    for hook in hooks:
        hook.remove()
    return np.stack(rows)


def ours(network: Network, layers: list[str], pixels: Tensor, precision: Any) -> Pooled:
    found = collect_features(
        network.module, pixels.split(BATCH), layers, ("pooled",), run=network.run, precision=precision
    )
    return np.concatenate([found[layer, "pooled"].to_numpy() for layer in layers], axis=1)


class Trunk(nn.Module):
    """The trunk of an SRResNet that gives pooled features of all its blocks, as a graph that other runtimes can take."""

    def __init__(self, module: SRResNet) -> None:
        super().__init__()
        self.first, self.activation, self.body = module.conv_first, module.lrelu, module.body

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.first(x))
        pooled = []
        for block in self.body:
            x = block(x)
            wide = x.flatten(2).float()
            mean = wide.mean(2)
            pooled += [mean, (wide - mean[..., None]).square().mean(2).sqrt()]
        return torch.cat(pooled, 1)


def run_bfloat16(trunk: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return trunk(batch.contiguous(memory_format=torch.channels_last))


def batched(run: Callable[[Tensor], Any], pixels: Tensor) -> Pooled:
    return np.concatenate([np.asarray(run(batch)) for batch in pixels.split(BATCH)])


def other_runtimes(module: SRResNet, pixels: Tensor) -> dict[str, Callable[[], Pooled]]:
    import onnxruntime
    import openvino

    trunk, threads = Trunk(module).eval(), torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trunk.onnx")
        torch.onnx.export(trunk, (pixels[:BATCH],), path, input_names=["x"], output_names=["y"], dynamo=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    model = openvino.convert_model(trunk, example_input=pixels[:BATCH])
    core = openvino.Core()
    hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": 1}
    exact = core.compile_model(model, "CPU", hints | {"INFERENCE_PRECISION_HINT": "f32"})
    half = core.compile_model(model, "CPU", hints | {"INFERENCE_PRECISION_HINT": "bf16"})
    return {
        "ONNX Runtime, float32": lambda: batched(lambda batch: session.run(None, {"x": batch.numpy()})[0], pixels),
        "OpenVINO, float32": lambda: batched(lambda batch: exact(batch.numpy())[0], pixels),
        "OpenVINO, bfloat16": lambda: batched(lambda batch: half(batch.numpy())[0], pixels),
    }


def trunk_seconds(module: SRResNet, pixels: Tensor) -> float:
    """Of the convolutions, activations and sums of the trunk alone, nothing taken out."""
    enabled = is_bfloat16_faster(torch.device("cpu"))
    started = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        for batch in pixels.split(BATCH):
            batch = batch.contiguous(memory_format=torch.channels_last)
            module.body(module.lrelu(module.conv_first(batch)))
    return time.perf_counter() - started


def trunk_operations(module: SRResNet) -> float:
    """Multiplications and additions for one image."""
    convolutions = [module.conv_first, *(one for one in module.body.modules() if isinstance(one, nn.Conv2d))]
    return float(sum(2 * one.weight.numel() * SIDE**2 for one in convolutions))


def stages(network: Network, count: int) -> dict[str, float]:
    """Seconds for ``count`` crops of 128 pixels, blurred, shrunk to 32 and run: the last block's features, pooled."""
    files = find_images([bundled_photos()])
    blur, layer = parse_degradation("blur:2"), network.layers[-2]
    spent = dict.fromkeys(("decoding", "degrading", "network", "pooling", "writing"), 0.0)
    small, kept = [], []
    for number in range(count):
        clock = time.perf_counter()
        image = read_image(files[number % len(files)])
        spent["decoding"] += time.perf_counter() - clock
        clock = time.perf_counter()
        small.append(blur.apply(image.pixels[:128, :128], 0, network.scale, image.bits))
        spent["degrading"] += time.perf_counter() - clock
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).contiguous()
    inside = network.module.get_submodule(layer)
    hook = inside.register_forward_hook(lambda _m, _i, output: kept.append(output.float()))
    assert isinstance(network.module, SRResNet)
    spent["network"] = trunk_seconds(network.module, pixels)
    hook.remove()
    clock = time.perf_counter()
    rows = np.concatenate([pool_features(one.flatten(2)).numpy() for one in kept])
    spent["pooling"] = time.perf_counter() - clock
    clock = time.perf_counter()
    import pyarrow as pa

    pack(pa.table({"features": pa.array(list(rows)), DIGEST: [""] * len(rows)}))
    spent["writing"] = time.perf_counter() - clock
    return spent


def identify_rates(pieces: int = 48) -> dict[str, Any]:
    """Images a second: 64 x 64 pixels, one tile each, in shards of 16 as `ddrscope identify` makes them."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        photo = read_image(find_images([bundled_photos()])[0]).pixels
        for number in range(16):
            part = photo[number : number + 64, number : number + 64]
            Image.fromarray((part * 255).round().astype(np.uint8)).save(Path(folder, f"{number}.png"))
        shard = find_images([folder])
        threads = torch.get_num_threads()
        for count, precision in ((1, "float32"), (threads, "float32"), (threads, "bfloat16")):
            torch.set_num_threads(count)
            worker = IdentifyTask(precision=precision).open()
            worker(shard)
            started = time.perf_counter()
            for _ in range(pieces // 8):
                worker(shard)
            found[f"one process of {count} threads, {precision}"] = (
                pieces // 8 * len(shard) / (time.perf_counter() - started)
            )
        times = [
            time.perf_counter() for _ in run_on_cluster(IdentifyTask(), [(n, shard) for n in range(pieces)], "local")
        ]
    # From when all workers have begun.
    workers = len(os.sched_getaffinity(0))
    found[f"{workers} workers of one thread, float32"] = rate = (
        (pieces - 2 * workers) * len(shard) / (times[-1] - times[2 * workers - 1])
    )
    return {
        "images per second": found,
        "efficiency of the workers": rate / workers / found["one process of 1 threads, float32"],
    }


def measures() -> pd.DataFrame:
    """Each measure with an interval, layer by layer, in both precisions."""
    found = {}
    for precision in ("float32", "bfloat16"):
        result = analyze(["srresnet-wgr", "srgan-wgr", "srresnet-wogr"], precision=precision)
        found[precision] = {
            (network["name"], row["layer"], row["view"], key): (value, row.get(f"{key}_low"), row.get(f"{key}_high"))
            for network in result.data["networks"] for row in network["layers"] for key, value in row.items()
            if f"{key}_low" in row and value is not None
        }  # fmt: skip
    rows = []
    for key, (value, low, high) in found["float32"].items():
        moved = found["bfloat16"][key][0]
        rows.append(dict(zip(("network", "layer", "view", "measure"), key, strict=True))
                    | {"float32": value, "low": low, "high": high, "bfloat16": moved, "inside": low <= moved <= high,
                       "of half the interval": 2 * abs(moved - value) / (high - low) if high > low else 0.0})  # fmt: skip
    return pd.DataFrame(rows).round(6)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--part", choices=["speed", "stages", "identify", "measures"])
    given = parser.parse_args()
    main(given.out, given.images, given.part)
