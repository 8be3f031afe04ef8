"""SPAN with merged kernels, as a checkpoint and as an ncnn pair: its formula."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.layers import capture
from ddrscope.networks import SPAN, load_network
from ncnn_pairs import Graph

MEAN = (0.4488, 0.4371, 0.4040)
BATCH = torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(1))


def formula(state: dict[str, Tensor], pixels: Tensor, scale: int) -> dict[str, Tensor]:
    """The output and the layers, by the paper."""

    def convolve(x: Tensor, name: str, padding: int = 1) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    def swish(x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    layers, first = {}, convolve(pixels, "conv_1.eval_conv")
    features, activated = first, first
    blocks = sum(name.endswith("c1_r.eval_conv.weight") for name in state)
    for n in range(1, blocks + 1):
        activated = swish(convolve(features, f"block_{n}.c1_r.eval_conv"))
        last = convolve(swish(convolve(activated, f"block_{n}.c2_r.eval_conv")), f"block_{n}.c3_r.eval_conv")
        features = (features + last) * (torch.sigmoid(last) - 0.5)
        layers[f"block_{n}"] = features
    joined = torch.cat([first, convolve(features, "conv_2.eval_conv"), layers["block_1"], activated], 1)
    layers["upsampler.0:input"] = convolve(joined, "conv_cat", 0)
    output = functional.pixel_shuffle(convolve(layers["upsampler.0:input"], "upsampler.0"), scale)
    return layers | {"output": output}


@pytest.mark.parametrize("late_channels", [None, 4])
def test_span_against_the_published_formula(tmp_path: Path, late_channels: int | None) -> None:
    torch.manual_seed(0)
    module = SPAN(channels=6, blocks=3, scale=2, late_channels=late_channels).eval()
    torch.save(module.state_dict(), tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    assert (network.architecture, network.scale, network.channels) == ("SPAN", 2, 3)
    assert network.global_residual is False and network.last_hr_layer == "upsampler.0:input"
    pixels = (BATCH - torch.tensor(MEAN).view(1, 3, 1, 1)) * 255
    expected = formula(module.state_dict(), pixels, 2)
    with torch.inference_mode():
        torch.testing.assert_close(module(BATCH), expected.pop("output"))
    torch.testing.assert_close(capture(module, BATCH, network.layers), expected)


def test_the_range_inside_is_measured(tmp_path: Path) -> None:
    """Weights that only repeat pixels reconstruct in the range for which they were made."""
    module = SPAN(channels=8, blocks=1, scale=2, mean=(0.0, 0.0, 0.0), img_range=1.0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        for channel in range(3):
            module.conv_1.eval_conv.weight[channel, channel, 1, 1] = 1
            module.conv_cat.weight[channel, channel] = 1
            module.upsampler[0].weight[4 * channel : 4 * channel + 4, channel, 1, 1] = 1
    torch.save({"params_ema": module.state_dict()}, tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    torch.testing.assert_close(network(BATCH), functional.interpolate(BATCH, scale_factor=2, mode="nearest"))
    assert any("pixels as they are." in note for note in network.notes)


def span_graph(scaled: bool, blocks: int = 2, width: int = 4) -> Graph:
    graph = Graph()
    graph.add("Input", [], "data")
    graph.add("MemoryData", [], "mean", "0=1 1=1 2=3")
    graph.data += np.array(MEAN, "<f4").tobytes()
    pixels = graph.add("BinaryOp", ["data", "mean"], "shifted", "0=1")
    if scaled:
        pixels = graph.add("BinaryOp", [pixels], "scaled", "0=2 1=1 2=2.550000e+02")
    first = graph.convolution(pixels, "first", 3, width)
    copies = [f"{first}_{n}" for n in range(3)]
    graph.lines.append(f"Split copy 1 3 {first} {' '.join(copies)}")
    last, outputs, activated = copies[0], [], ""
    for n in range(blocks):
        activated = graph.add("Swish", [graph.convolution(last, f"b{n}c1", width, width)], f"b{n}a1")
        second = graph.add("Swish", [graph.convolution(activated, f"b{n}c2", width, width)], f"b{n}a2")
        third = graph.convolution(second, f"b{n}c3", width, width)
        half = graph.add("BinaryOp", [graph.add("Sigmoid", [third], f"b{n}g")], f"b{n}h", "0=1 1=1 2=5.000000e-01")
        total = graph.add("BinaryOp", [third, copies[1] if n == 0 else last], f"b{n}s")
        last = graph.add("BinaryOp", [total, half], f"b{n}", "0=2")
        outputs.append(last)
    trunk = graph.convolution(last, "trunk", width, width)
    joined = graph.add("Concat", [copies[2], trunk, outputs[0], activated], "joined")
    late = graph.convolution(joined, "late", 4 * width, width, kernel=1)
    graph.add("PixelShuffle", [graph.convolution(late, "end", width, 12)], "output", "0=2")
    return graph


def weights(graph: Graph) -> dict[str, Tensor]:
    """The weights in the order of the file, under the names of the authors."""
    names = ["conv_1.eval_conv", *(f"block_{n}.c{c}_r.eval_conv" for n in (1, 2) for c in (1, 2, 3))]
    names += ["conv_2.eval_conv", "conv_cat", "upsampler.0"]
    state, offset = {}, 12
    for name in names:
        inputs, outputs = {"conv_1.eval_conv": (3, 4), "conv_cat": (16, 4), "upsampler.0": (4, 12)}.get(name, (4, 4))
        kernel = 1 if name == "conv_cat" else 3
        assert struct.unpack_from("<I", graph.data, offset) == (0,)
        values = np.frombuffer(graph.data, "<f4", outputs * inputs * kernel**2 + outputs, offset + 4).copy()
        state[f"{name}.weight"] = torch.tensor(values[:-outputs]).view(outputs, inputs, kernel, kernel)
        state[f"{name}.bias"] = torch.tensor(values[-outputs:])
        offset += 4 + values.nbytes
    assert offset == len(graph.data)
    return state


@pytest.mark.parametrize("scaled", [True, False])
def test_an_ncnn_pair(tmp_path: Path, scaled: bool) -> None:
    graph = span_graph(scaled)
    pixels = (BATCH - torch.tensor(MEAN).view(1, 3, 1, 1)) * (255 if scaled else 1)
    expected = formula(weights(graph), pixels, 2)
    for path in graph.write(tmp_path):
        network = load_network(path)
        assert (network.architecture, network.scale, network.name) == ("SPAN", 2, "tiny")
        assert network.global_residual is False and network.last_hr_layer == "upsampler.0:input"
        torch.testing.assert_close(network(BATCH), expected["output"])


@pytest.mark.parametrize(
    "line, old, new",
    [
        ("Concat", "b0 b1a1", "b1a1 b0"),
        ("MemoryData", "2=3", "2=4"),
        ("MemoryData", "2=3", "2=3 21=0"),
        ("Sigmoid", "b0c3", "b0c2"),
        ("BinaryOp", "5.000000e-01", "4.000000e-01"),
        ("BinaryOp", "2.550000e+02", "2.540000e+02"),
        ("BinaryOp", "data mean", "mean data"),
        ("Convolution", "1=1 4=0", "1=5 4=2"),
        ("Convolution", "1=1 4=0", "1=1 4=1"),
        ("PixelShuffle", "0=2", "0=3"),
        ("Split", "copy 1 3 first", "copy 0 4 first"),
    ],
)
def test_a_graph_of_another_meaning_is_not_misread(tmp_path: Path, line: str, old: str, new: str) -> None:
    graph = span_graph(scaled=True)
    changed = [text.replace(old, new) if text.startswith(line) else text for text in graph.lines]
    assert changed != graph.lines
    graph.lines = changed
    with pytest.raises(InputError) as caught:
        load_network(graph.write(tmp_path)[0])
    assert "\n" not in str(caught.value) and "tiny" in str(caught.value)
