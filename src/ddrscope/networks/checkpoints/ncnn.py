"""Reading ncnn pairs, `.param` and `.bin`, of the graphs in which Real-ESRGAN, SPAN and similar are published."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.networks.checkpoints.ncnn_graphs import (
    NcnnLayer,
    check_is_file,
    interpolations,
    read_param,
    recognize_graph,
)
from ddrscope.networks.checkpoints.ncnn_span import is_span, span_state

MAX_BIN_BYTES = 1 << 30
_FLOAT16_TAG, _FLOAT32_TAGS = 0x01306B47, (0, 0x0002C056)


class NcnnWeights(NamedTuple):
    """Weights under the names of the PyTorch original, and the factor of a final bicubic resize of the output."""

    state: dict[str, Tensor]
    final_resize: float


def read_ncnn(param: Path, binary: Path) -> NcnnWeights:
    """Read an RRDBNet, SRVGGNetCompact or SPAN from an ncnn pair.

    Weights may be float16 or float32, activations fused or layers of their own.

    Raises:
        InputError: A file is missing or corrupt, or the graph is another.
    """
    layers = read_param(param)
    graph = "SPAN" if is_span(layers) else recognize_graph(layers)
    if graph is None:
        raise InputError(
            f"{param} is not the graph of an RRDBNet, an SRVGGNetCompact or a SPAN, the only ncnn graphs that are read: "
            "give the network's PyTorch checkpoint"
        )
    values = list(_read_bin(binary, layers))
    convolutions = [value for value in values if isinstance(value, tuple)]
    others = [value for value in values if isinstance(value, Tensor)]
    if graph == "SPAN":
        # The mean is the only constant.
        return NcnnWeights(span_state(layers, convolutions, others[0]), 1.0)
    resizes = interpolations(layers)
    if graph == "RRDBNet":
        return NcnnWeights(_rrdbnet(convolutions, len(resizes)), 1.0)
    final_resize = resizes[1].number(1, 1) if len(resizes) == 2 else 1.0
    return NcnnWeights(_compact(convolutions, others), final_resize)


def _read_bin(path: Path, layers: list[NcnnLayer]) -> Iterator[tuple[Tensor, Tensor] | Tensor]:
    """(weight, bias) of each convolution, slopes of each PReLU, constants, in file order; sizes are checked first."""
    check_is_file(path)
    if path.stat().st_size > MAX_BIN_BYTES:
        raise InputError(f"{path} is too large: at most {MAX_BIN_BYTES >> 30} GB of ncnn weights are read")
    data = path.read_bytes()
    offset = 0

    def take(count: int, dtype: str) -> Tensor:
        nonlocal offset
        size = count * np.dtype(dtype).itemsize
        if count <= 0 or offset + size > len(data):
            raise InputError(f"{path} is shorter than its .param says: download or convert it again")
        values = np.frombuffer(data, dtype, count, offset).astype(np.float32)
        offset += math.ceil(size / 4) * 4
        return torch.from_numpy(values)

    for layer in layers:
        if layer.type == "Convolution":
            outputs, size = int(layer.number(0)), int(layer.number(6))
            _check_convolution(path, layer, outputs, size)
            if len(data) < offset + 4:
                raise InputError(f"{path} is shorter than its .param says: download or convert it again")
            tag = int.from_bytes(data[offset : offset + 4], "little")
            offset += 4
            if tag != _FLOAT16_TAG and tag not in _FLOAT32_TAGS:
                raise InputError(
                    f"{path}: {layer.name[:40]} has quantized weights: convert the network without quantization"
                )
            kernel = int(layer.number(1))
            weight = take(size, "<f2" if tag == _FLOAT16_TAG else "<f4").view(outputs, -1, kernel, kernel)
            yield weight, take(outputs, "<f4")
        elif layer.type == "PReLU":
            yield take(int(layer.number(0)), "<f4")
        elif layer.type == "MemoryData":
            # Without a tag. Missing sides are not stored.
            yield take(math.prod(int(layer.number(key)) for key in (0, 1, 2)), "<f4")
    if offset != len(data):
        raise InputError(f"{path} is longer than its .param says: the two do not belong together")


def _check_convolution(path: Path, layer: NcnnLayer, outputs: int, size: int) -> None:
    kernel = layer.number(1)
    required = {1: 1.0 if kernel == 1 else 3.0, 2: 1.0, 3: 1.0, 4: 0.0 if kernel == 1 else 1.0, 5: 1.0, 8: 0.0}
    defaults = {2: 1.0, 3: 1.0}
    differs = any(layer.number(key, defaults.get(key, 0.0)) != value for key, value in required.items())
    side = int(required[1])
    if differs or layer.number(11, side) != side or outputs <= 0 or size <= 0 or size % (outputs * side**2):
        raise InputError(
            f"{path}: {layer.name[:40]} is not a convolution as the known graphs have: 3x3 with padding 1, or 1x1, with bias"
        )


def _rrdbnet(convolutions: list[tuple[Tensor, Tensor]], upscalings: int) -> dict[str, Tensor]:
    blocks = (len(convolutions) - 4 - upscalings) // 15
    names = ["conv_first"]
    names += [f"body.{n}.rdb{r}.conv{c}" for n in range(blocks) for r in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    names += ["conv_body", *(f"conv_up{n + 1}" for n in range(upscalings)), "conv_hr", "conv_last"]
    return _named(names, convolutions)


def _compact(convolutions: list[tuple[Tensor, Tensor]], slopes: list[Tensor]) -> dict[str, Tensor]:
    state = _named([f"body.{2 * n}" for n in range(len(convolutions))], convolutions)
    return state | {f"body.{2 * n + 1}.weight": slope for n, slope in enumerate(slopes)}


def _named(names: list[str], convolutions: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    state = {}
    for name, (weight, bias) in zip(names, convolutions, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    return state
