"""Convert the published EnhanceNet-PAT of Sajjadi et al. 2017, a checkpoint of TensorFlow 1, for ddrscope.

    git clone https://github.com/msmsajjadi/EnhanceNet-Code
    python -m scripts.convert_enhancenet EnhanceNet-Code/weights enhancenet.safetensors
    ddrscope models show enhancenet.safetensors

A checkpoint of TensorFlow's first format is a sorted table, as in LevelDB: blocks of entries (key, value), whose keys omit what they
share with the key before; an index block with the last key and the place of each block; and a footer with the place of the index.
Values are protocol buffers. Only what this file has is read: no compression, numbers as float32. Nothing in it is executed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write

_FOOTER, _MAGIC = 48, bytes.fromhex("57fb808b247547db")
_BLOCKS = 10
_NO_COMPRESSION, _BYTES, _INTEGER = 0, 2, 0
# Fields of protocol buffers: the slice in a value, its name and data; the numbers in the data.
_SLICE, _NAME, _DATA, _FLOATS = 2, 1, 3, 5
_KERNEL = 3


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The numbers of each tensor in a checkpoint by name, without their shapes.

    Args:
        data: The content of the file.

    Raises:
        InputError: It is of another format.
    """
    try:
        return dict(_tensors(data))
    except (IndexError, KeyError, ValueError) as error:
        raise InputError(f"this is not EnhanceNet's checkpoint ({error})") from None


def _tensors(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("no table")
    footer = data[-_FOOTER:]
    at = 0
    numbers = []
    for _ in range(4):
        number, at = _number(footer, at)
        numbers.append(number)
    for place in _entries(data, *numbers[2:]):
        start, at = _number(place, 0)
        size, _ = _number(place, at)
        for value in _entries(data, start, size):
            fields = _fields(value)
            # The first entry lists the tensors instead.
            if _SLICE in fields:
                tensor = _fields(fields[_SLICE])
                yield tensor[_NAME].decode("ascii"), np.frombuffer(_fields(tensor[_DATA])[_FLOATS], "<f4")


def _entries(data: bytes, start: int, size: int) -> Iterator[bytes]:
    """The values in a block; keys are skipped, as the values repeat them."""
    block = data[start : start + size]
    if len(block) != size or data[start + size] != _NO_COMPRESSION:
        raise ValueError("a compressed or truncated block")
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at = 0
    while at < end:
        _, at = _number(block, at)
        rest, at = _number(block, at)
        length, at = _number(block, at)
        at += rest + length
        yield block[at - length : at]


def _fields(message: bytes) -> dict[int, bytes]:
    """The last field of each number, of those that are bytes."""
    found, at = {}, 0
    while at < len(message):
        tag, at = _number(message, at)
        length, at = _number(message, at)
        if tag & 7 == _BYTES:
            found[tag >> 3] = message[at : at + length]
            at += length
        elif tag & 7 != _INTEGER:
            raise ValueError(f"a field of type {tag & 7}")
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number, shift, at = number | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128 or shift > 63:
            return number, at


def converted(tensors: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The weights under the names of `ddrscope.networks.EnhanceNet`."""
    names = ["entry", *(f"body.{n}.conv{c}" for n in range(_BLOCKS) for c in (1, 2)), "up1", "up2", "late", "exit"]
    numbered = {
        int(re.sub(r"\D", "", name) or 0): name.rpartition("/")[0] for name in tensors if name.endswith("/weights")
    }
    if sorted(numbered) != list(range(len(names))):
        raise InputError(f"{len(numbered)} convolutions: this is not EnhanceNet's checkpoint")
    state = {}
    for number, name in enumerate(names):
        weight, bias = (tensors[f"{numbered[number]}/{kind}"] for kind in ("weights", "biases"))
        # TensorFlow stores rows, columns, inputs, outputs.
        weight = weight.reshape(_KERNEL, _KERNEL, -1, len(bias)).transpose(3, 2, 0, 1)
        state[f"{name}.weight"], state[f"{name}.bias"] = (torch.from_numpy(each.copy()) for each in (weight, bias))
    return state


def main() -> None:
    """Read the arguments and convert."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="the file `weights` of EnhanceNet-Code")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    arguments = parser.parse_args()
    state = converted(read_tensors(arguments.file.read_bytes()))
    with atomic_write(arguments.out) as temporary:
        save_file(state, temporary, {"format": "pt"})


if __name__ == "__main__":
    main()
