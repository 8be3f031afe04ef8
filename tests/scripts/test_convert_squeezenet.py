"""The conversion of a compressed SqueezeNet: the same classes as by Caffe's formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.networks import load_network
from scripts.convert_squeezenet import converted, decode, shapes

Arrays = dict[str, np.ndarray]


def compressed(rng: np.random.Generator) -> tuple[bytes, Arrays]:
    """A file written weight by weight, and what it contains."""
    arrays: Arrays = {}
    counts, parts = [], []
    for name, shape in shapes().items():
        size = int(np.prod(shape))
        codebook = rng.normal(0, 1.4 / np.sqrt(np.prod(shape[1:])), 256).astype(np.float32)
        codebook[0] = 0
        codes = np.where(rng.random(size) < 0.3, rng.integers(1, 256, size), 0).astype(np.uint8)
        stored, zeros, last = [], [], -1
        for position in np.flatnonzero(codes).tolist():
            while position - last > 16:
                last += 16
                stored.append(0)
                zeros.append(15)
            stored.append(int(codes[position]))
            zeros.append(position - last - 1)
            last = position
        bias = rng.normal(0, 0.1, shape[0]).astype(np.float32)
        halves = zeros + [0] * (len(zeros) % 2)
        packed = bytes(low | high << 4 for low, high in zip(halves[::2], halves[1::2], strict=True))
        counts.append(len(stored))
        parts += [codebook.tobytes(), bias.tobytes(), bytes(stored), packed]
        arrays |= {f"{name}.weight": codebook[codes].reshape(shape), f"{name}.bias": bias}
    return np.array(counts, "<u4").tobytes() + b"".join(parts), arrays


@pytest.fixture(scope="module")
def file() -> tuple[bytes, Arrays]:
    return compressed(np.random.default_rng(0))


def test_every_weight_is_decoded(file: tuple[bytes, Arrays]) -> None:
    decoded = decode(file[0])
    assert decoded.keys() == file[1].keys()
    for name, array in decoded.items():
        np.testing.assert_array_equal(array, file[1][name])


def test_the_converted_network_answers_as_caffe_does(tmp_path: Path, file: tuple[bytes, Arrays]) -> None:
    save_file(converted(decode(file[0])), tmp_path / "net.safetensors")
    network = load_network(tmp_path / "net.safetensors")
    weights = {name: torch.from_numpy(array) for name, array in file[1].items()}

    def convolve(x: Tensor, name: str, **options: int) -> Tensor:
        return functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options).relu()

    batch = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    pixels = 255 * batch.flip(1) - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    x = functional.max_pool2d(convolve(pixels, "features.0", stride=2), 3, 2, ceil_mode=True)
    for number in (3, 4, 5, 7, 8, 9, 10, 12):
        if number in (7, 12):
            x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        squeezed = convolve(x, f"features.{number}.squeeze")
        parts = [convolve(squeezed, f"features.{number}.expand{side}x{side}", padding=side // 2) for side in (1, 3)]
        x = torch.cat(parts, dim=1)
    logits = convolve(x, "classifier.1", padding=1).mean(dim=(2, 3))
    assert logits.std() > 0.01
    torch.testing.assert_close(network(batch), logits, atol=1e-3 * float(logits.abs().max()), rtol=0)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"0", lambda data: b"\xff" * len(data)])
def test_other_files_are_refused(file: tuple[bytes, Arrays], change) -> None:
    with pytest.raises(InputError, match="not the compressed SqueezeNet"):
        decode(change(file[0]))
