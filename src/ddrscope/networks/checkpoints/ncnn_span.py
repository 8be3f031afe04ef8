"""SPAN as an ncnn graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddrscope.networks.checkpoints.ncnn_graphs import NcnnLayer

_ADD, _SUBTRACT, _MULTIPLY = 0.0, 1.0, 2.0
_LAYERS_OF_BLOCK = 9
# The input, which no layer computes.
_INPUT = -1

# The type of a layer, the layers that it reads, and its numbered parameters.
_Layer = tuple[str, tuple[int, ...], dict[int, float]]


def is_span(layers: Sequence[NcnnLayer]) -> bool:
    """Whether a graph is that of SPAN with merged kernels, connections included."""
    computed = [layer for layer in layers if layer.type not in ("Input", "Split")]
    scaled = is_scaled(layers)
    blocks, rest = divmod(len(computed) - 8 - scaled, _LAYERS_OF_BLOCK)
    if blocks < 1 or rest:
        return False
    shuffle, channels = computed[-1].number(0), computed[0].number(2)
    if computed[-2].number(0) != channels * shuffle**2:
        return False
    wanted = _graph(blocks, scaled, shuffle)
    # Constants without a tag, ncnn's default.
    if any(layer.number(21, 1) != 1 for layer in computed if layer.type == "MemoryData"):
        return False
    return len(wanted) == len(computed) and all(
        layer.type == type_ and reads == found and all(layer.number(key) == value for key, value in parameters.items())
        for layer, found, (type_, reads, parameters) in zip(computed, _reads(layers), wanted, strict=True)
    )


def is_scaled(layers: Sequence[NcnnLayer]) -> bool:
    """Whether the pixels are multiplied by 255 after their mean was subtracted."""
    operations = [layer for layer in layers if layer.type == "BinaryOp"][:2]
    return len(operations) == 2 and operations[1].number(2) == 255


def span_state(
    layers: Sequence[NcnnLayer], convolutions: list[tuple[Tensor, Tensor]], mean: Tensor
) -> dict[str, Tensor]:
    """The weights under the names of the authors, with ``mean`` and ``img_range``.

    Args:
        layers: The graph.
        convolutions: Weight and bias of each, in file order.
        mean: What is subtracted from the pixels.
    """
    blocks = (len(convolutions) - 4) // 3
    names = ["conv_1.eval_conv"]
    names += [f"block_{n + 1}.c{c}_r.eval_conv" for n in range(blocks) for c in (1, 2, 3)]
    names += ["conv_2.eval_conv", "conv_cat", "upsampler.0"]
    state = {"mean": mean, "img_range": torch.tensor(255.0 if is_scaled(layers) else 1.0)}
    for name, (weight, bias) in zip(names, convolutions, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    return state


def _graph(blocks: int, scaled: bool, shuffle: float) -> list[_Layer]:
    graph: list[_Layer] = []

    def add(type_: str, *reads: int, **parameters: float) -> int:
        graph.append((type_, reads, {int(key[1:]): value for key, value in parameters.items()}))
        return len(graph) - 1

    mean = add("MemoryData", p0=1, p1=1)
    pixels = add("BinaryOp", _INPUT, mean, p0=_SUBTRACT)
    if scaled:
        pixels = add("BinaryOp", pixels, p0=_MULTIPLY, p1=1, p2=255)
    first = features = add("Convolution", pixels, p1=3)
    outputs, activated = [], features
    for _ in range(blocks):
        start = features
        activated = add("Swish", add("Convolution", start, p1=3))
        last = add("Convolution", add("Swish", add("Convolution", activated, p1=3)), p1=3)
        weights = add("BinaryOp", add("Sigmoid", last), p0=_SUBTRACT, p1=1, p2=0.5)
        features = add("BinaryOp", add("BinaryOp", last, start, p0=_ADD), weights, p0=_MULTIPLY)
        outputs.append(features)
    trunk = add("Convolution", features, p1=3)
    joined = add("Concat", first, trunk, outputs[0], activated, p0=0)
    add("PixelShuffle", add("Convolution", add("Convolution", joined, p1=1), p1=3), p0=shuffle)
    return graph


def _reads(layers: Sequence[NcnnLayer]) -> list[tuple[int, ...]]:
    """For each layer that computes, the numbers of those that it reads; layers that only copy are looked through."""
    producers: dict[str, int] = {}
    reads: list[tuple[int, ...]] = []
    for layer in layers:
        found = tuple(producers.get(name, -2) for name in layer.inputs)
        if layer.type == "Input":
            number = _INPUT
        elif layer.type == "Split":
            number = found[0] if found else -2
        else:
            number = len(reads)
            reads.append(found)
        producers |= dict.fromkeys(layer.outputs, number)
    return reads
