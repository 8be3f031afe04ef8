"""EnhanceNet: its formula, and the conversion of the published file on one of the same format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.layers import capture
from ddrscope.networks import EnhanceNet, load_network
from ddrscope.networks.corner_resize import enlarge_from_corner
from ddrscope.networks.residual_path import measure_residual_path
from scripts.convert_enhancenet import converted, read_tensors

MEAN = torch.tensor([0.47614917, 0.45001204, 0.40904046]).view(1, 3, 1, 1)
BATCH = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(2))


def cubic(values: np.ndarray, position: float) -> float:
    """The value of a row at a position, by the definition of cubic convolution with a = -0.75."""
    total = 0.0
    for n in range(int(position) - 1, int(position) + 3):
        d, a = abs(position - n), -0.75
        weight = (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        total += (weight if d < 2 else 0.0) * values[min(max(n, 0), len(values) - 1)]
    return total


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_enlargement_is_that_of_tensorflow_1(scale: int) -> None:
    image = BATCH[:1, :1].double()
    rows = np.array([[cubic(row, x / scale) for x in range(7 * scale)] for row in image[0, 0].numpy()])
    both = np.array([[cubic(column, y / scale) for y in range(6 * scale)] for column in rows.T]).T
    torch.testing.assert_close(enlarge_from_corner(image, scale)[0, 0], torch.from_numpy(both), atol=1e-6, rtol=1e-5)


def test_enhancenet_against_the_published_formula(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = EnhanceNet(channels=5, blocks=2).eval()
    torch.save(module.state_dict(), tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    assert (network.architecture, network.scale, network.channels) == ("EnhanceNet", 4, 3)
    assert network.global_residual is True and network.last_hr_layer == "exit:input"
    state = module.state_dict()

    def convolve(x: Tensor, name: str) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    expected, features = {}, convolve(BATCH - MEAN, "entry").relu()
    for n in (0, 1):
        features = features + convolve(convolve(features, f"body.{n}.conv1").relu(), f"body.{n}.conv2")
        expected[f"body.{n}"] = features
    for name in ("up1", "up2"):
        features = convolve(features.repeat_interleave(2, 2).repeat_interleave(2, 3), name).relu()
    expected["exit:input"] = convolve(features, "late").relu()
    output = convolve(expected["exit:input"], "exit") + enlarge_from_corner(BATCH, 4)
    torch.testing.assert_close(network(BATCH), output)
    torch.testing.assert_close(capture(network.module, BATCH, network.layers), expected)
    assert measure_residual_path(network.module, 3, 4, network).interpolation == "bicubic"


def number(value: int) -> bytes:
    """Seven bits a byte."""
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(tag: int, content: bytes) -> bytes:
    return number(tag << 3 | 2) + number(len(content)) + content


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block with one restart; keys share what they have in common with the one before."""
    data, before = b"", b""
    for key, value in entries:
        shared = next((n for n in range(min(len(key), len(before))) if key[n] != before[n]), min(len(key), len(before)))
        data += number(shared) + number(len(key) - shared) + number(len(value)) + key[shared:] + value
        before = key
    return data + bytes(4) + (1).to_bytes(4, "little")


def table(tensors: dict[str, np.ndarray]) -> bytes:
    """A checkpoint of TensorFlow 1 with two tensors a block."""
    entries = [(b"", field(1, field(1, b"the list of tensors")))]
    for name in sorted(tensors):
        tensor = number(1 << 3) + number(1) + field(5, tensors[name].astype("<f4").tobytes())
        entries.append((name.encode(), field(2, field(1, name.encode()) + field(2, b"") + field(3, tensor))))
    data, index = b"", []
    for start in range(0, len(entries), 2):
        content = block(entries[start : start + 2])
        index.append((entries[min(start + 1, len(entries) - 1)][0], number(len(data)) + number(len(content))))
        data += content + b"\0" + bytes(4)
    place = number(0) + number(0) + number(len(data)) + number(len(block(index)))
    return data + block(index) + b"\0" + bytes(4) + place.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")


def published(channels: int = 4) -> tuple[dict[str, np.ndarray], EnhanceNet]:
    """The tensors of a network as TensorFlow names and orders them."""
    torch.manual_seed(1)
    module = EnhanceNet(channels)
    tensors = {}
    for n, name in enumerate(key.removesuffix(".weight") for key in module.state_dict() if key.endswith("weight")):
        place = f"generator/Conv_{n}" if n else "generator/Conv"
        tensors[f"{place}/weights"] = module.get_submodule(name).weight.detach().numpy().transpose(2, 3, 1, 0)
        tensors[f"{place}/biases"] = module.get_submodule(name).bias.detach().numpy()
    return tensors, module


def test_the_published_file_is_converted() -> None:
    tensors, module = published()
    state = converted(read_tensors(table(tensors)))
    torch.testing.assert_close(state, dict(module.state_dict()))


def test_other_files_are_refused() -> None:
    tensors, _ = published()
    data = table(tensors)
    endless = data[:-48] + b"\xff" * 40 + data[-8:]
    for content in (b"", data[:-1], data[100:], endless, b"\x07" * 60 + data[-8:]):
        with pytest.raises(InputError, match="not EnhanceNet"):
            converted(read_tensors(content))
    with pytest.raises(InputError, match="24 convolutions"):
        converted({name: tensor for name, tensor in tensors.items() if "Conv_24" not in name})
