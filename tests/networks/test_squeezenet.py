"""SqueezeNet: its formula in both versions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import SqueezeNet, load_network

FIRES = [(2, 3, 5), (2, 4, 4), (3, 4, 4), (3, 4, 5), (2, 4, 4), (2, 4, 4), (3, 4, 4), (3, 5, 4)]
# Channels and kernel of the first convolution, and the layers: a number is a Fire module.
VERSIONS = {
    "1.0": (6, 7, (3, 4, 5, "pool", 7, 8, 9, 10, "pool", 12)),
    "1.1": (6, 3, (3, 4, "pool", 6, 7, "pool", 9, 10, 11, 12)),
}


def drawn(version: str, border: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(0)
    first, side, _ = VERSIONS[version]
    return SqueezeNet(version, first, side, FIRES, 7, border).state_dict()


@pytest.mark.parametrize("version, border", [("1.0", 0), ("1.0", 1), ("1.1", 0)])
def test_against_the_published_formula(tmp_path: Path, version: str, border: int) -> None:
    state = drawn(version, border)
    torch.save(state, tmp_path / "squeezenet.pth")
    network = load_network(tmp_path / "squeezenet.pth")
    assert (network.architecture, network.scale, network.channels) == ("SqueezeNet", 1, 3)
    assert any("224" in note for note in network.notes)

    def convolve(x: Tensor, name: str, **options: int) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options).relu()

    def pool(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    batch = torch.rand(2, 3, 224, 224)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = pool(convolve((batch - mean[:, None, None]) / deviation[:, None, None], "features.0", stride=2))
    expected = {}
    for layer in VERSIONS[version][2]:
        if layer == "pool":
            x = pool(x)
            continue
        squeezed, name = convolve(x, f"features.{layer}.squeeze"), f"features.{layer}"
        parts = convolve(squeezed, f"{name}.expand1x1"), convolve(squeezed, f"{name}.expand3x3", padding=1)
        expected[name] = x = torch.cat(parts, dim=1)
    expected["classifier.1:input"] = expected.pop("features.12")
    logits = convolve(x, "classifier.1", padding=border).mean(dim=(2, 3))
    torch.testing.assert_close(network(batch), logits, atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(expected) and network.last_hr_layer == "classifier.1:input"
    for name, values in captured.items():
        torch.testing.assert_close(values, expected[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("version, first, parameters", [("1.0", (96, 7), 1_248_424), ("1.1", (64, 3), 1_235_496)])
def test_the_published_networks_have_their_number_of_parameters(
    tmp_path: Path, version: str, first: tuple[int, int], parameters: int
) -> None:
    torch.save(SqueezeNet(version, *first).state_dict(), tmp_path / "squeezenet.pth")
    assert load_network(tmp_path / "squeezenet.pth").parameters == parameters


def test_images_of_any_size_enter(tmp_path: Path) -> None:
    torch.save(drawn("1.1"), tmp_path / "squeezenet.pth")
    network = load_network(tmp_path / "squeezenet.pth")
    for side in (32, 224, 301):
        assert network(torch.rand(1, 3, side, side + 8)).shape == (1, 7)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("features.0.weight", torch.zeros(6)),
        ("features.0.weight", torch.zeros(6, 1, 3, 3)),
        ("features.6.squeeze.weight", torch.zeros(3, 7, 1, 1)),
        ("features.99.squeeze.weight", torch.zeros(3, 8, 1, 1)),
        ("border", torch.zeros(9)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(drawn("1.1") | {key: tensor}, tmp_path / "net.pth")
    assert "SqueezeNet" in refusal(tmp_path / "net.pth")
