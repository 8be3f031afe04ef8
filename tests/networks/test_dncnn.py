"""DnCNN: its formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import DnCNN, load_network


def drawn(channels: int = 1, bias: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(0)
    state = DnCNN(channels, 6, 3, bias).state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "running_var")):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return state


@pytest.mark.parametrize("channels, bias", [(1, False), (3, True)])
def test_against_the_published_formula(tmp_path: Path, channels: int, bias: bool) -> None:
    state = drawn(channels, bias)
    # The port is trained in parallel.
    torch.save({f"module.{key}": tensor for key, tensor in state.items()}, tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    assert (network.architecture, network.scale, network.channels) == ("DnCNN", 1, channels)
    assert (network.global_residual, network.global_residual_source) == (True, "architecture")

    def convolve(x: Tensor, number: int) -> Tensor:
        return functional.conv2d(x, state[f"dncnn.{number}.weight"], state.get(f"dncnn.{number}.bias"), padding=1)

    batch = torch.rand(2, channels, 9, 10)
    layers = [convolve(batch, 0).relu()]
    for number in (2, 5, 8):
        mean, variance, gain, shift = (
            state[f"dncnn.{number + 1}.{kind}"].reshape(1, -1, 1, 1)
            for kind in ("running_mean", "running_var", "weight", "bias")
        )
        normalized = (convolve(layers[-1], number) - mean) / torch.sqrt(variance + 1e-5) * gain + shift
        layers.append(normalized.relu())
    torch.testing.assert_close(network(batch), batch - convolve(layers[-1], 11), atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "dncnn.11:input"
    for values, layer in zip(captured.values(), layers, strict=True):
        torch.testing.assert_close(values, layer, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("dncnn.0.weight", torch.zeros(6)),
        ("dncnn.0.bias", torch.zeros(6)),
        ("dncnn.2.weight", torch.zeros(6, 6, 5, 5)),
        ("dncnn.1000000000.running_mean", torch.zeros(6)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(drawn() | {key: tensor}, tmp_path / "net.pth")
    assert "DnCNN" in refusal(tmp_path / "net.pth")
