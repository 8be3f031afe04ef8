"""ncnn files, against a small interpreter of the graph that shares no code with the reader."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.networks import load_network, network_names
from ddrscope.networks.zoo import PRETRAINED, pretrained_pair
from ncnn_pairs import Graph


def interpret(param: Path, binary: Path, batch: Tensor) -> Tensor:
    """Walk the lines of the graph and do what ncnn's documentation says each does."""
    data, offset, blobs, result = binary.read_bytes(), 0, {}, batch
    for line in param.read_text().splitlines()[2:]:
        kind, _, n_in, n_out, *rest = line.split()
        ins, outs = rest[: int(n_in)], rest[int(n_in) : int(n_in) + int(n_out)]
        options = dict(pair.split("=") for pair in rest[int(n_in) + int(n_out) :])
        x = [blobs[name] for name in ins]
        if kind == "Input":
            result = batch
        elif kind == "Split":
            result = x[0]
        elif kind == "Convolution":
            out, size = int(options["0"]), int(options["6"])
            (tag,) = struct.unpack_from("<I", data, offset)
            width = 2 if tag == 0x01306B47 else 4
            weight = np.frombuffer(data, f"<f{width}", size, offset + 4).astype("f4").reshape(out, -1, 3, 3)
            offset += 4 + -(-size * width // 4) * 4
            bias = np.frombuffer(data, "<f4", out, offset)
            offset += 4 * out
            result = functional.conv2d(x[0], torch.tensor(weight), torch.tensor(bias), padding=1)
            if options.get("9") == "2":
                result = functional.leaky_relu(result, float(options["-23310"].split(",")[1]))
        elif kind == "ReLU":
            result = functional.leaky_relu(x[0], float(options.get("0", 0)))
        elif kind == "PReLU":
            slopes = np.frombuffer(data, "<f4", int(options["0"]), offset)
            offset += 4 * len(slopes)
            result = functional.prelu(x[0], torch.tensor(slopes))
        elif kind == "Concat":
            result = torch.cat(x, 1)
        elif kind == "Eltwise":
            _, *scales = options["-23301"].split(",")
            result = sum(float(scale) * tensor for scale, tensor in zip(scales, x, strict=True))
        elif kind == "BinaryOp":
            result = x[0] * float(options["2"]) if options.get("0") == "2" else x[0] + x[1]
        elif kind == "Interp":
            mode = {"1": "nearest", "3": "bicubic"}[options["0"]]
            result = functional.interpolate(x[0], scale_factor=float(options["1"]), mode=mode)
        elif kind == "PixelShuffle":
            result = functional.pixel_shuffle(x[0], int(options["0"]))
        else:
            raise AssertionError(kind)
        blobs |= dict.fromkeys(outs, result)
    assert offset == len(data)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", PRETRAINED)
def test_pretrained_networks(name):
    network = load_network(name)
    batch = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = interpret(*pretrained_pair(name), batch).clamp(0, 1)
    torch.testing.assert_close(network(batch).clamp(0, 1), expected, atol=1e-5, rtol=1e-4)
    assert network.name == name and name in network_names()
    assert expected.shape[-1] == 8 * network.scale
    assert network.last_hr_layer == network.layers[-1]
    for layer in network.layers:
        network.module.get_submodule(layer.removesuffix(":input"))


def compact() -> Graph:
    graph = Graph()
    graph.add("Input", [], "x")
    last = "x"
    for n, inputs in enumerate((3, 6, 6)):
        last = graph.convolution(last, f"c{n}", inputs, 6)
        graph.data += graph.random.normal(0.2, 0.1, 6).astype("<f4").tobytes()
        last = graph.add("PReLU", [last], f"p{n}", "0=6")
    last = graph.convolution(last, "c", 6, 12)
    last = graph.add("PixelShuffle", [last], "s", "0=2")
    base = graph.add("Interp", ["x"], "i", "0=1 1=2.0 2=2.0")
    graph.add("BinaryOp", [last, base], "output")
    return graph


def rrdbnet(separate: bool, slope: str = "0.2") -> Graph:
    """One block; with activations and scaled sums in layers of their own, as newer converters write them."""
    graph = Graph()
    width, growth = 8, 32

    def activated(source: str, out: str, inputs: int, outputs: int) -> str:
        if not separate:
            return graph.convolution(source, out, inputs, outputs, f"9=2 -23310=1,{slope}")
        graph.convolution(source, f"{out}_linear", inputs, outputs)
        return graph.add("ReLU", [f"{out}_linear"], out, f"0={slope}")

    def scaled_sum(added: str, kept: str, out: str) -> str:
        if not separate:
            return graph.add("Eltwise", [added, kept], out, "0=1 -23301=2,0.2,1.0")
        graph.add("BinaryOp", [added], f"{out}_scaled", "0=2 1=1 2=0.2")
        return graph.add("BinaryOp", [f"{out}_scaled", kept], out, "0=0")

    graph.add("Input", [], "x")
    first = trunk = graph.convolution("x", "first", 3, width)
    for r in range(3):
        parts = [trunk]
        joined = trunk
        for c in range(4):
            parts.append(activated(joined, f"r{r}c{c}", width + growth * c, growth))
            joined = graph.add("Concat", parts, f"r{r}k{c}", "0=0")
        trunk = scaled_sum(graph.convolution(joined, f"r{r}c4", width + growth * 4, width), trunk, f"r{r}")
    trunk = scaled_sum(trunk, first, "block")
    last = graph.add("BinaryOp", [first, graph.convolution(trunk, "body", width, width)], "sum")
    enlarged = graph.add("Interp", [last], "i", "0=1 1=2.0 2=2.0")
    last = activated(enlarged, "up", width, width)
    graph.convolution(activated(last, "hr", width, width), "output", width, 3)
    return graph


@pytest.mark.parametrize("graph", [compact(), rrdbnet(separate=False), rrdbnet(separate=True)])
def test_float32_weights_in_every_spelling(tmp_path, graph):
    pair = graph.write(tmp_path)
    batch = torch.rand(1, 3, 6, 5)
    expected = interpret(*pair, batch).clamp(0, 1)
    for path in pair:
        network = load_network(path)
        assert (network.scale, network.name) == (2, "tiny")
        torch.testing.assert_close(network(batch), expected, atol=1e-6, rtol=1e-5)


def refused(folder: Path, graph: Graph) -> str:
    with pytest.raises(InputError) as caught:
        load_network(graph.write(folder)[0])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_graph_of_another_meaning_is_not_misread(tmp_path):
    assert "not the graph of an RRDBNet" in refused(tmp_path, rrdbnet(separate=False, slope="0.1"))
    graph = compact()
    graph.lines[-2] = graph.lines[-2].replace("2.0", "3.0")
    assert "not the graph of an RRDBNet" in refused(tmp_path, graph)
    graph = compact()
    graph.lines.insert(3, "Softmax s 1 1 p0 q 0=0")
    assert "Softmax" in refused(tmp_path, graph)
    graph = compact()
    graph.lines[1] = graph.lines[1].replace("4=1", "4=0")
    assert "3x3 with padding 1" in refused(tmp_path, graph)


def test_weights_that_do_not_belong(tmp_path):
    graph = compact()
    graph.data = graph.data[:-8]
    assert "shorter" in refused(tmp_path, graph)
    graph.data += bytes(16)
    assert "longer" in refused(tmp_path, graph)
    graph = compact()
    graph.data = struct.pack("<I", 0x000D4B38) + graph.data[4:]
    assert "quantized" in refused(tmp_path, graph)


@pytest.mark.parametrize(
    "line",
    [
        "Input x 0 1 x",
        "Input x 0",
        "Input x a b c",
        "Input x -5 9 x",
        "Convolution c 1 1 x y 0=1 5",
        "Convolution c 1 1 x y 0=1 1= 6=9",
        "Convolution c 1 1 x y 0=1e999 6=9",
        "Convolution c 1 1 x y 0=nan 1=3 4=1 5=1 6=inf",
        "Convolution c 1 1 x y 0=1000000 1=3 4=1 5=1 6=900000000000000",
        "Convolution c 1 1 x y -23310=",
        "PReLU c 1 1 x y 0=99999999999",
        "PReLU c 1 1 x y 0=-4",
        "PixelShuffle s 1 1 x y",
    ],
)
def test_damaged_layers(tmp_path, line):
    assert_refused(tmp_path, f"7767517\n1 1\n{line}\n")


@pytest.mark.parametrize(
    "text", ["", "7767517", "7767517\n1", "7767517\n2 2\nInput x 0 1 x\n", "\x00\xff", "x" * (1 << 21)]
)
def test_damaged_graphs(tmp_path, text):
    assert_refused(tmp_path, text)


def assert_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.param").write_text(text, encoding="utf-8")
    (tmp_path / "bad.bin").write_bytes(b"\0" * 64)
    with pytest.raises(InputError) as caught:
        load_network(tmp_path / "bad.param")
    assert "\n" not in str(caught.value)


def test_half_a_pair(tmp_path):
    param, binary = compact().write(tmp_path)
    binary.unlink()
    with pytest.raises(InputError, match="a .param and a .bin"):
        load_network(param)
    compact().write(tmp_path)
    param.unlink()
    with pytest.raises(InputError, match="a .param and a .bin"):
        load_network(binary)
