"""Throughput of feature extraction, compared with plain PyTorch, torch.compile, ONNX Runtime and OpenVINO.

    python -m benchmarks.throughput OUT [--images 512] [--part speed|stages]

speed: pooled features of all residual blocks of `srgan-wgr` for patches of 32 x 32 pixels, in one process, on the same pixels with the
same threads. Plain PyTorch runs the whole network in float32 with hooks, one image at a time; the others run the trunk. The ways take
turns three times; the median is reported.
stages: the time of each stage of `ddrscope features`: decoding, degrading, network, pooling, writing.
OUT receives ``throughput.json``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.machine import describe, matmul_rate
from ddrscope.batch.shard_store import DIGEST, pack
from ddrscope.degradations import parse_degradation
from ddrscope.features import collect_features
from ddrscope.features.precision import is_bfloat16_faster
from ddrscope.features.views import pool_features
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.io.files import write_json
from ddrscope.networks import Network, SRResNet, load_network

NETWORK, SIDE, BATCH, TURNS = "srgan-wgr", 32, 16, 3
LIBRARIES = ("torch", "onnxruntime", "openvino", "numpy")
Pooled = NDArray[np.float32]


def main(out: Path, count: int, part: str | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    network, pixels = load_network(NETWORK), patches(count)
    results = describe(LIBRARIES) | {"network": NETWORK, "images": count, "side": SIDE}
    if part != "stages":
        results |= speed(network, pixels)
    if part != "speed":
        results["stages"] = stages(network, count)
    write_json(out / "throughput.json", results)


def patches(count: int) -> Tensor:
    """Patches (count, 3, SIDE, SIDE) of the bundled photographs."""
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
        # The first run compiles and warms caches; its result is compared with that of plain PyTorch.
        differences[name] = float(np.abs(way() - exact).max() / np.abs(exact).max())
    for _ in range(TURNS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    rates = {name: len(pixels) / statistics.median(values) for name, values in seconds.items()}
    network_only = statistics.median(trunk_seconds(module, pixels) for _ in range(TURNS))
    dtype = torch.bfloat16 if is_bfloat16_faster(torch.device("cpu")) else torch.float32
    peak = statistics.median(matmul_rate(dtype) for _ in range(TURNS))
    work = trunk_operations(module) * len(pixels)
    return {
        "images per second": rates,
        "speed-up over plain": {name: rate / rates["plain"] for name, rate in rates.items()},
        "largest difference / largest feature": differences,
        "network alone": {
            "precision": str(dtype).removeprefix("torch."), "images per second": len(pixels) / network_only,
            "GFLOP/s": work / network_only / 1e9, "matmul GFLOP/s": peak / 1e9, "share": work / network_only / peak,
        },
    }  # fmt: skip


def plain(network: Network, layers: list[str], pixels: Tensor) -> Pooled:
    """Plain PyTorch: hooks, the whole network, float32, one image at a time."""
    outputs: list[Tensor] = []
    hooks = [
        network.module.get_submodule(name).register_forward_hook(lambda _m, _i, output: outputs.append(output))
        for name in layers
    ]
    rows = []
    with torch.no_grad():
        for image in pixels:
            outputs.clear()
            network.module(image[None])
            pooled = [torch.cat([f.mean((0, 2, 3)), f.std((0, 2, 3), correction=0)]) for f in outputs]
            rows.append(torch.cat(pooled).numpy())
    for hook in hooks:
        hook.remove()
    return np.stack(rows)


def ours(network: Network, layers: list[str], pixels: Tensor, precision: Any) -> Pooled:
    features = collect_features(
        network.module, pixels.split(BATCH), layers, ("pooled",), run=network.run, precision=precision
    )
    return np.concatenate([features[layer, "pooled"].to_numpy() for layer in layers], axis=1)


class Trunk(nn.Module):
    """The trunk of an SRResNet that returns pooled features of all its blocks, as a graph that other runtimes can import."""

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
    """Seconds of the trunk alone: convolutions, activations and sums, without feature extraction."""
    enabled = is_bfloat16_faster(torch.device("cpu"))
    started = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        for batch in pixels.split(BATCH):
            batch = batch.contiguous(memory_format=torch.channels_last)
            module.body(module.lrelu(module.conv_first(batch)))
    return time.perf_counter() - started


def trunk_operations(module: SRResNet) -> float:
    """Multiplications and additions of the trunk for one image."""
    convolutions = [module.conv_first, *(layer for layer in module.body.modules() if isinstance(layer, nn.Conv2d))]
    return float(sum(2 * layer.weight.numel() * SIDE**2 for layer in convolutions))


def stages(network: Network, count: int) -> dict[str, float]:
    """Seconds by stage for ``count`` crops of 128 pixels: blur, shrink to 32 pixels, pooled features of the last block."""
    files = find_images([bundled_photos()])
    blur, layer = parse_degradation("blur:2"), network.layers[-2]
    spent = dict.fromkeys(("decoding", "degrading", "network", "pooling", "writing"), 0.0)
    small, features = [], []
    for number in range(count):
        clock = time.perf_counter()
        image = read_image(files[number % len(files)])
        spent["decoding"] += time.perf_counter() - clock
        clock = time.perf_counter()
        small.append(blur.apply(image.pixels[:128, :128], 0, network.scale, image.bits))
        spent["degrading"] += time.perf_counter() - clock
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).contiguous()
    inside = network.module.get_submodule(layer)
    hook = inside.register_forward_hook(lambda _m, _i, output: features.append(output.float()))
    assert isinstance(network.module, SRResNet)
    spent["network"] = trunk_seconds(network.module, pixels)
    hook.remove()
    clock = time.perf_counter()
    rows = np.concatenate([pool_features(batch.flatten(2)).numpy() for batch in features])
    spent["pooling"] = time.perf_counter() - clock
    clock = time.perf_counter()
    pack(pa.table({"features": pa.array(list(rows)), DIGEST: [""] * len(rows)}))
    spent["writing"] = time.perf_counter() - clock
    return spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--part", choices=["speed", "stages"])
    arguments = parser.parse_args()
    main(arguments.out, arguments.images, arguments.part)
