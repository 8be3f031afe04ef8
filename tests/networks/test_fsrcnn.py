"""FSRCNN: its formula, and its scale, which the weights do not state."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import FSRCNN, load_network


def reconstructing(scale: int, channels: int = 1, mappings: int = 2) -> FSRCNN:
    """Weights that enlarge linearly, with noise too weak to matter, as if they were trained."""
    torch.manual_seed(0)
    module = FSRCNN(channels, 6, 4, mappings, scale).eval()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.dirac_(layer.weight)
            nn.init.zeros_(layer.bias)
    offsets = torch.arange(9) - 4.0
    tent = (1 - offsets.abs() / scale).clamp_min(0)
    nn.init.zeros_(module.last_part.weight)
    nn.init.zeros_(module.last_part.bias)
    for channel in range(channels):
        module.last_part.weight.data[channel, channel] = tent[:, None] * tent
    for parameter in module.parameters():
        parameter.data.add_(0.01 * torch.randn(parameter.shape))
    return module


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels, mappings", [(1, 4), (3, 0)])
def test_against_the_published_formula(tmp_path: Path, scale: int, channels: int, mappings: int) -> None:
    state = reconstructing(scale, channels, mappings).state_dict()
    torch.save(state, tmp_path / "fsrcnn.pth")
    network = load_network(tmp_path / "fsrcnn.pth")
    assert (network.architecture, network.scale, network.channels) == ("FSRCNN", scale, channels)
    assert network.global_residual is False
    assert any("Scale" in note for note in network.notes)

    def step(x: Tensor, part: str, number: int) -> Tensor:
        weight = state[f"{part}.{number}.weight"]
        x = functional.conv2d(x, weight, state[f"{part}.{number}.bias"], padding=weight.shape[-1] // 2)
        return torch.where(x > 0, x, x * state[f"{part}.{number + 1}.weight"][:, None, None])

    batch = torch.rand(2, channels, 7, 8)
    layers = [step(batch, "first_part", 0)]
    for number in range(0, 2 * mappings + 4, 2):
        layers.append(step(layers[-1], "mid_part", number))
    # A transposed convolution is a convolution of the image with zeros between its pixels.
    spread = torch.zeros(2, 6, 7 * scale, 8 * scale)
    spread[:, :, ::scale, ::scale] = layers[-1]
    kernel = state["last_part.weight"].flip(2, 3).transpose(0, 1)
    expected = functional.conv2d(spread, kernel, state["last_part.bias"], padding=4)
    torch.testing.assert_close(network(batch), expected, atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "last_part:input"
    for values, layer in zip(captured.values(), layers, strict=True):
        torch.testing.assert_close(values, layer, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("first_part.0.weight", torch.zeros(6)),
        ("first_part.1.weight", torch.zeros(1)),
        ("mid_part.2.weight", torch.zeros(4, 5, 3, 3)),
        ("mid_part.1000000000.weight", torch.zeros(4, 4, 3, 3)),
        ("last_part.weight", torch.zeros(6, 1, 7, 7)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(reconstructing(3).state_dict() | {key: tensor}, tmp_path / "net.pth")
    assert "FSRCNN" in refusal(tmp_path / "net.pth")
