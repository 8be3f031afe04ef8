"""Convert the compressed SqueezeNet of Han et al. 2016 (Deep Compression) for ddrscope.

    git clone https://github.com/songhan/SqueezeNet-Deep-Compression
    python -m scripts.convert_squeezenet SqueezeNet-Deep-Compression/compressed_SqueezeNet.net squeezenet.safetensors
    ddrscope models show squeezenet.safetensors

The file begins with the number of stored weights of each convolution (uint32), in the order of the network. For each convolution
follow a codebook of 256 float32, the biases (float32), one byte for each stored weight, its number in the codebook, and half a byte
for each, how many zeros lie between it and the one before (the low half first). Long runs of zeros contain stored zeros.

The network was made for pixels in 0..255 in the order blue, green, red, less 104, 117, 123. The first convolution is rewritten for
torchvision's normalization, which is exact since that convolution has no padding. Caffe puts a border of one zero around the map from
which the classes are computed; the length of the tensor `border` says so. Inputs have 224 pixels instead of 227; the maps of both have
13 x 13 positions at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write
from ddrscope.networks.architectures.squeezenet import FIRES, fire_numbers

_CODES = 256
# Blue, green, red of Caffe's input, and torchvision's normalization of red, green, blue.
_SUBTRACTED = np.array([104.0, 117.0, 123.0])
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def shapes() -> dict[str, tuple[int, int, int, int]]:
    """The shapes of the convolutions of SqueezeNet 1.0 by torchvision's names, in the order of the file."""
    found: dict[str, tuple[int, int, int, int]] = {"features.0": (96, 3, 7, 7)}
    channels = 96
    for number, (squeezed, pointwise, spatial) in zip(fire_numbers("1.0"), FIRES, strict=True):
        found[f"features.{number}.squeeze"] = (squeezed, channels, 1, 1)
        found[f"features.{number}.expand1x1"] = (pointwise, squeezed, 1, 1)
        found[f"features.{number}.expand3x3"] = (spatial, squeezed, 3, 3)
        channels = pointwise + spatial
    return found | {"classifier.1": (1000, channels, 1, 1)}


def decode(data: bytes) -> dict[str, np.ndarray]:
    """The weights and biases in a compressed file, by torchvision's names, for Caffe's pixels.

    Args:
        data: The content of the file.

    Raises:
        InputError: The content does not have the length or the positions of this network.
    """
    stream = _Stream(data)
    counts = stream.take(len(shapes()), "<u4")
    arrays = {}
    for (name, shape), stored in zip(shapes().items(), counts.tolist(), strict=True):
        codebook = stream.take(_CODES, "<f4")
        arrays[f"{name}.bias"] = stream.take(shape[0], "<f4")
        codes = stream.take(stored, "u1")
        halves = stream.take((stored + 1) // 2, "u1")
        zeros = np.stack([halves & 15, halves >> 4], axis=1).ravel()[:stored].astype(np.int64)
        positions = np.cumsum(zeros + 1) - 1
        weights = np.full(int(np.prod(shape)), codebook[0])
        if stored and positions[-1] >= weights.size:
            raise InputError(f"a weight of {name} lies beyond its end: this is not the compressed SqueezeNet")
        weights[positions] = codebook[codes]
        arrays[f"{name}.weight"] = weights.reshape(shape)
    if stream.rest:
        raise InputError(f"{stream.rest} bytes are left over: this is not the compressed SqueezeNet")
    return arrays


class _Stream:
    """Arrays from bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int, kind: str) -> np.ndarray:
        end = self.at + count * np.dtype(kind).itemsize
        if end > len(self.data):
            raise InputError("the file is too short: this is not the compressed SqueezeNet")
        array = np.frombuffer(self.data, kind, count, self.at)
        self.at = end
        return array

    @property
    def rest(self) -> int:
        return len(self.data) - self.at


def converted(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The weights for torchvision's normalization of pixels, with the border of the last map."""
    rewritten = {name: array.astype(np.float64) for name, array in arrays.items()}
    # Red, green, blue: z = (x - mean) / deviation, and Caffe's pixel is 255 x - subtracted.
    weight = rewritten["features.0.weight"][:, ::-1]
    shift = 255 * _MEAN - _SUBTRACTED[::-1]
    rewritten["features.0.bias"] = rewritten["features.0.bias"] + np.einsum("ochw,c->o", weight, shift)
    rewritten["features.0.weight"] = weight * (255 * _DEVIATION)[:, None, None]
    state = {name: torch.from_numpy(array.astype(np.float32)) for name, array in rewritten.items()}
    return state | {"border": torch.zeros(1)}


def main() -> None:
    """Read the arguments and convert."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("file", type=Path, help="compressed_SqueezeNet.net")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    arguments = parser.parse_args()
    state = converted(decode(arguments.file.read_bytes()))
    with atomic_write(arguments.out) as temporary:
        save_file(state, temporary, {"format": "pt"})


if __name__ == "__main__":
    main()
