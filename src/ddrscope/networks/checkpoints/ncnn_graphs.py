"""The graph of an ncnn network, the `.param` file, and two of the graphs that are recognized."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ddrscope.errors import InputError
from ddrscope.io.files import is_file

MAGIC = "7767517"
MAX_PARAM_BYTES = 1 << 20
_NEAREST, _BICUBIC = 1, 3

# One letter for each layer that computes; A is a convolution with its activation.
_LETTERS = {
    "Convolution": "C", "PReLU": "P", "ReLU": "R", "Concat": "K", "Eltwise": "E", "BinaryOp": "B", "Interp": "I",
    "PixelShuffle": "S", "MemoryData": "M", "Swish": "W", "Sigmoid": "G",
}  # fmt: skip
_IGNORED = ("Input", "Split")
_DENSE_BLOCK = "AKAKAKAKC(?:E|BB)"
_RRDBNET = re.compile(rf"C(?:(?:{_DENSE_BLOCK}){{3}}(?:E|BB))+CB(?:IA)*AC")
_COMPACT = re.compile(r"(?:CP)+CSIBI?")


@dataclass(frozen=True)
class NcnnLayer:
    """A line of a `.param` file; ``params`` are its numbered parameters, arrays under their plain number."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, tuple[float, ...]]

    def number(self, key: int, default: float = 0) -> float:
        """The parameter ``key``."""
        return (self.params.get(key) or (default,))[0]


def read_param(path: Path) -> list[NcnnLayer]:
    """The layers of a `.param` file, in order.

    Raises:
        InputError: The file is missing or corrupt, or a layer type is unknown.
    """
    check_is_file(path)
    try:
        if path.stat().st_size > MAX_PARAM_BYTES:
            raise InputError(f"{path} is too large for an ncnn graph: at most {MAX_PARAM_BYTES >> 20} MB are read")
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} is not an ncnn graph in text form: binary .param files are not read") from None
    if not lines or lines[0].strip() != MAGIC:
        raise InputError(f"{path} is not an ncnn graph: its first line is not {MAGIC}")
    try:
        count = int(lines[1].split()[0])
        layers = [_parse_layer(line) for line in lines[2:] if line.strip()]
    except (ValueError, IndexError):
        raise InputError(f"{path} is a corrupt ncnn graph: download or convert it again") from None
    if len(layers) != count:
        raise InputError(f"{path} announces {count} layers and contains {len(layers)}: download or convert it again")
    unknown = sorted({layer.type for layer in layers} - set(_LETTERS) - set(_IGNORED))
    if unknown:
        raise InputError(
            f"{path}: layer types {', '.join(unknown)[:80]} belong to no known graph (RRDBNet, SRVGGNetCompact, SPAN): "
            "give the network's PyTorch checkpoint"
        )
    return layers


def recognize_graph(layers: list[NcnnLayer]) -> Literal["RRDBNet", "SRVGGNetCompact"] | None:
    """Which of two published graphs this is, None for any other."""
    sequence = "".join(_letters(layers))
    if _RRDBNET.fullmatch(sequence) and _is_published_rrdbnet(layers):
        return "RRDBNet"
    if _COMPACT.fullmatch(sequence) and _is_published_compact(layers):
        return "SRVGGNetCompact"
    return None


def interpolations(layers: list[NcnnLayer]) -> list[NcnnLayer]:
    """The layers that resize."""
    return [layer for layer in layers if layer.type == "Interp"]


def check_is_file(path: Path) -> None:
    """`InputError` unless a regular file is there: opening a pipe would block, and a device has no end."""
    if not is_file(path):
        raise InputError(f"{path}: no such file; an ncnn network is a .param and a .bin of the same name")


def _parse_layer(line: str) -> NcnnLayer:
    type_, name, inputs, outputs, *rest = line.split()
    first_output, first_param = int(inputs), int(inputs) + int(outputs)
    if not 0 <= first_output <= first_param <= len(rest):
        raise ValueError(line)
    params = {}
    for text in rest[first_param:]:
        key, value = text.split("=")
        numbers = tuple(float(number) for number in value.split(","))
        if not all(map(math.isfinite, numbers)):
            raise ValueError(line)
        # The key of an array is -23300 minus its number, and its length comes first.
        params[int(key) if int(key) >= 0 else -23300 - int(key)] = numbers if int(key) >= 0 else numbers[1:]
    return NcnnLayer(type_, name, tuple(rest[:first_output]), tuple(rest[first_output:first_param]), params)


def _letters(layers: list[NcnnLayer]) -> list[str]:
    """The letters of all layers that compute; a convolution with a ReLU, fused or following, is one A."""
    letters: list[str] = []
    for layer in layers:
        letter = _LETTERS.get(layer.type, "")
        if letter == "R" and letters and letters[-1] == "C":
            letters[-1] = "A"
        elif letter:
            letters.append("A" if letter == "C" and layer.number(9) else letter)
    return letters


def _is_published_rrdbnet(layers: list[NcnnLayer]) -> bool:
    """Whether slopes, residual scales and enlargements are those of the published RRDBNet."""
    slopes = {layer.number(0) for layer in layers if layer.type == "ReLU"}
    fused = [layer for layer in layers if layer.type == "Convolution" and layer.number(9)]
    slopes |= {layer.number(10) for layer in fused if layer.number(9) == 2}
    sums = {layer.params.get(1) for layer in layers if layer.type == "Eltwise" and layer.number(0) == 1}
    factors = {layer.number(2) for layer in layers if layer.type == "BinaryOp" and layer.number(1)}
    return (
        slopes == {0.2}
        and all(layer.number(9) == 2 for layer in fused)
        and sums | {(factor, 1.0) for factor in factors} == {(0.2, 1.0)}
        and all(
            layer.number(0) == _NEAREST and layer.number(1) == layer.number(2) == 2 for layer in interpolations(layers)
        )
    )


def _is_published_compact(layers: list[NcnnLayer]) -> bool:
    """Whether the input is enlarged by nearest neighbour like the features, and the sum shrunk evenly if at all."""
    shuffle = next(layer for layer in layers if layer.type == "PixelShuffle")
    base, *final = interpolations(layers)
    return (
        base.number(0) == _NEAREST
        and base.number(1) == base.number(2) == shuffle.number(0)
        and all(layer.number(0) == _BICUBIC and 0 < layer.number(1) == layer.number(2) <= 1 for layer in final)
    )
