"""Reading ncnn pairs, `.param` and `.bin`, of the two graphs in which Real-ESRGAN and similar are published."""

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

MAX_BIN_BYTES = 1 << 30
_FLOAT16_TAG, _FLOAT32_TAGS = 0x01306B47, (0, 0x0002C056)


class NcnnWeights(NamedTuple):
    """Weights under the names of the PyTorch original, and the factor of a final bicubic resize of the output."""

    state: dict[str, Tensor]
    final_resize: float


def read_ncnn(param: Path, binary: Path) -> NcnnWeights:
    """Read an RRDBNet or SRVGGNetCompact from an ncnn pair.

    Weights may be float16 or float32, activations fused or layers of their own.

    Raises:
        InputError: A file is missing or corrupt, or the graph is another.
    """
    layers = read_param(param)
    graph = recognize_graph(layers)
    values = list(_read_bin(binary, layers))
    convolutions = [value for value in values if isinstance(value, tuple)]
    slopes = [value for value in values if isinstance(value, Tensor)]
    resizes = interpolations(layers)
    if graph == "RRDBNet":
        return NcnnWeights(_rrdbnet(convolutions, len(resizes)), 1.0)
    if graph == "SRVGGNetCompact":
        final_resize = resizes[1].number(1, 1) if len(resizes) == 2 else 1.0
        return NcnnWeights(_compact(convolutions, slopes), final_resize)
    raise InputError(
        f"{param} is neither an RRDBNet nor an SRVGGNetCompact graph, the only ncnn graphs that are read: "
        "give the network's PyTorch checkpoint"
    )


def _read_bin(path: Path, layers: list[NcnnLayer]) -> Iterator[tuple[Tensor, Tensor] | Tensor]:
    """(weight, bias) of each convolution and the slopes of each PReLU, in file order; sizes are checked first."""
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
            weight = take(size, "<f2" if tag == _FLOAT16_TAG else "<f4").view(outputs, -1, 3, 3)
            yield weight, take(outputs, "<f4")
        elif layer.type == "PReLU":
            yield take(int(layer.number(0)), "<f4")
    if offset != len(data):
        raise InputError(f"{path} is longer than its .param says: the two do not belong together")


def _check_convolution(path: Path, layer: NcnnLayer, outputs: int, size: int) -> None:
    required = {1: 3.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0, 8: 0.0}
    defaults = {2: 1.0, 3: 1.0}
    differs = any(layer.number(key, defaults.get(key, 0.0)) != value for key, value in required.items())
    if differs or layer.number(11, 3) != 3 or outputs <= 0 or size <= 0 or size % (outputs * 9):
        raise InputError(
            f"{path}: {layer.name[:40]} is not a 3x3 convolution with padding 1 and bias, as the known graphs have"
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
