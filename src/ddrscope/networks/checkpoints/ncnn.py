"""ncnn files (`.param` and `.bin`) of the two graphs in which Real-ESRGAN-like networks are passed around."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.io.files import is_file

MAGIC = "7767517"
MAX_PARAM_BYTES = 1 << 20
MAX_BIN_BYTES = 1 << 30
_FLOAT16_TAG, _FLOAT32_TAGS = 0x01306B47, (0, 0x0002C056)
_NEAREST, _BICUBIC = 1, 3

# One letter per layer that computes, A being a convolution with its activation.
_LETTERS = {
    "Convolution": "C", "PReLU": "P", "ReLU": "R", "Concat": "K", "Eltwise": "E", "BinaryOp": "B", "Interp": "I",
    "PixelShuffle": "S",
}  # fmt: skip
_SILENT = ("Input", "Split")
_DENSE_BLOCK = "AKAKAKAKC(?:E|BB)"
_RRDBNET = re.compile(rf"C(?:(?:{_DENSE_BLOCK}){{3}}(?:E|BB))+CB(?:IA)*AC")
_COMPACT = re.compile(r"(?:CP)+CSIBI?")


@dataclass(frozen=True)
class NcnnLayer:
    """A line of a `.param` file: numbered parameters, arrays under their plain number."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, tuple[float, ...]]

    def number(self, key: int, default: float = 0) -> float:
        """The parameter ``key``."""
        return (self.params.get(key) or (default,))[0]


class NcnnWeights(NamedTuple):
    """Weights under the names of the PyTorch original, and by how much the graph resizes that network's output (bicubic)."""

    state: dict[str, Tensor]
    final_resize: float


def read_ncnn(param: Path, binary: Path) -> NcnnWeights:
    """Read an RRDBNet or SRVGGNetCompact from an ncnn pair.

    Weights may be float16 or float32, activations fused or layers of their own. Raises `InputError` for corrupt files, other
    graphs, and layer types that neither graph has.
    """
    layers = read_param(param)
    graph = _fuse_activations(layers)
    sequence = "".join(letter for letter, _ in graph)
    values = list(_read_bin(binary, layers))
    convolutions = [value for value in values if isinstance(value, tuple)]
    slopes = [value for value in values if isinstance(value, Tensor)]
    interps = [layer for layer in layers if layer.type == "Interp"]
    if _RRDBNET.fullmatch(sequence) and _is_usual_rrdbnet(layers, interps):
        return NcnnWeights(_rrdbnet(convolutions, len(interps)), 1.0)
    if _COMPACT.fullmatch(sequence) and _is_usual_compact(layers, interps):
        resize = interps[1].number(1, 1) if len(interps) == 2 else 1.0
        return NcnnWeights(_compact(convolutions, slopes), resize)
    raise InputError(
        f"{param} is neither an RRDBNet nor an SRVGGNetCompact graph, the only ncnn graphs that are read: "
        "give the network's PyTorch checkpoint"
    )


def read_param(path: Path) -> list[NcnnLayer]:
    """The layers of a `.param` file in order; raises `InputError` for a corrupt one or a layer type not known here."""
    _check_is_file(path)
    try:
        if path.stat().st_size > MAX_PARAM_BYTES:
            raise InputError(f"{path} is too large for an ncnn graph: at most {MAX_PARAM_BYTES >> 20} MB are read")
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} is no ncnn graph in text form: binary .param files are not read") from None
    if not lines or lines[0].strip() != MAGIC:
        raise InputError(f"{path} is no ncnn graph: its first line is not {MAGIC}")
    try:
        count = int(lines[1].split()[0])
        layers = [_parse_layer(line) for line in lines[2:] if line.strip()]
    except (ValueError, IndexError):
        raise InputError(f"{path} is a corrupt ncnn graph: download or convert it again") from None
    if len(layers) != count:
        raise InputError(f"{path} announces {count} layers and holds {len(layers)}: download or convert it again")
    unknown = sorted({layer.type for layer in layers} - set(_LETTERS) - set(_SILENT))
    if unknown:
        raise InputError(
            f"{path}: layer types {', '.join(unknown)[:80]} belong to no graph that is read (RRDBNet, SRVGGNetCompact): "
            "give the network's PyTorch checkpoint"
        )
    return layers


def _parse_layer(line: str) -> NcnnLayer:
    type_, name, inputs, outputs, *rest = line.split()
    a, b = int(inputs), int(inputs) + int(outputs)
    if not 0 <= a <= b <= len(rest):
        raise ValueError(line)
    params = {}
    for text in rest[b:]:
        key, value = text.split("=")
        numbers = tuple(float(number) for number in value.split(","))
        if not all(map(math.isfinite, numbers)):
            raise ValueError(line)
        # An array's key is -23300 minus its number, and its length comes first.
        params[int(key) if int(key) >= 0 else -23300 - int(key)] = numbers if int(key) >= 0 else numbers[1:]
    return NcnnLayer(type_, name, tuple(rest[:a]), tuple(rest[a:b]), params)


def _fuse_activations(layers: list[NcnnLayer]) -> list[tuple[str, NcnnLayer]]:
    """Letter and layer of all that computes; a convolution with a ReLU, fused or following, is one A."""
    graph: list[tuple[str, NcnnLayer]] = []
    for layer in layers:
        letter = _LETTERS.get(layer.type, "")
        if letter == "R" and graph and graph[-1][0] == "C":
            graph[-1] = ("A", graph[-1][1])
        elif letter:
            graph.append(("A" if letter == "C" and layer.number(9) else letter, layer))
    return graph


def _is_usual_rrdbnet(layers: list[NcnnLayer], interps: list[NcnnLayer]) -> bool:
    """Whether slopes, residual scales and enlargements are those of the published RRDBNet, which weights cannot tell."""
    slopes = {layer.number(0) for layer in layers if layer.type == "ReLU"}
    fused = [layer for layer in layers if layer.type == "Convolution" and layer.number(9)]
    slopes |= {layer.number(10) for layer in fused if layer.number(9) == 2}
    sums = {layer.params.get(1) for layer in layers if layer.type == "Eltwise" and layer.number(0) == 1}
    scalars = {layer.number(2) for layer in layers if layer.type == "BinaryOp" and layer.number(1)}
    return (
        slopes == {0.2}
        and all(layer.number(9) == 2 for layer in fused)
        and sums | {(scalar, 1.0) for scalar in scalars} == {(0.2, 1.0)}
        and all(layer.number(0) == _NEAREST and layer.number(1) == layer.number(2) == 2 for layer in interps)
    )


def _is_usual_compact(layers: list[NcnnLayer], interps: list[NcnnLayer]) -> bool:
    """Whether the input is enlarged by nearest neighbour as much as the features, and the sum shrunk evenly if at all."""
    shuffle = next(layer for layer in layers if layer.type == "PixelShuffle")
    base, *final = interps
    return (
        base.number(0) == _NEAREST
        and base.number(1) == base.number(2) == shuffle.number(0)
        and all(layer.number(0) == _BICUBIC and 0 < layer.number(1) == layer.number(2) <= 1 for layer in final)
    )


def _read_bin(path: Path, layers: list[NcnnLayer]) -> Iterator[tuple[Tensor, Tensor] | Tensor]:
    """In file order: (weight, bias) of each convolution, slopes of each PReLU. Sizes are checked before anything is read."""
    _check_is_file(path)
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
                    f"{path}: {layer.name[:40]} holds quantized weights: convert the network without quantization"
                )
            weight = take(size, "<f2" if tag == _FLOAT16_TAG else "<f4").view(outputs, -1, 3, 3)
            yield weight, take(outputs, "<f4")
        elif layer.type == "PReLU":
            yield take(int(layer.number(0)), "<f4")
    if offset != len(data):
        raise InputError(f"{path} is longer than its .param says: the two do not belong together")


def _check_is_file(path: Path) -> None:
    # A pipe under this name would be waited for, a device read for ever.
    if not is_file(path):
        raise InputError(f"{path}: no such file; an ncnn network is a .param and a .bin of the same name")


def _check_convolution(path: Path, layer: NcnnLayer, outputs: int, size: int) -> None:
    usual = {1: 3.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0, 8: 0.0}
    defaults = {2: 1.0, 3: 1.0}
    odd = any(layer.number(key, defaults.get(key, 0.0)) != value for key, value in usual.items())
    if odd or layer.number(11, 3) != 3 or outputs <= 0 or size <= 0 or size % (outputs * 9):
        raise InputError(
            f"{path}: {layer.name[:40]} is no 3x3 convolution with padding 1 and bias: no graph that is read has it"
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
