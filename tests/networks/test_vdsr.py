"""VDSR: its formula, its checkpoints, its random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import VDSR, load_network, reinitialized_copy


@pytest.fixture
def module() -> VDSR:
    torch.manual_seed(0)
    return VDSR(in_channels=1, channels=6, blocks=3).eval()


def test_vdsr_against_the_published_formula(tmp_path: Path, module: VDSR) -> None:
    # As training programs of the port save it.
    torch.save({"epoch": 50, "model": module.state_dict()}, tmp_path / "vdsr.pth")
    network = load_network(tmp_path / "vdsr.pth")
    assert (network.architecture, network.scale, network.channels) == ("VDSR", 1, 1)
    assert (network.global_residual, network.global_residual_source) == (True, "architecture")
    state, batch = module.state_dict(), torch.rand(2, 1, 9, 10)

    def convolve(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], padding=1)

    layers = [convolve(batch, "input").relu()]
    for n in range(3):
        layers.append(convolve(layers[-1], f"residual_layer.{n}.conv").relu())
    torch.testing.assert_close(network(batch), batch + convolve(layers[-1], "output"))
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "output:input"
    for values, expected in zip(captured.values(), layers, strict=True):
        torch.testing.assert_close(values, expected)


def test_the_published_vdsr_has_twenty_convolutions_of_64_channels(tmp_path: Path) -> None:
    torch.save(VDSR().state_dict(), tmp_path / "vdsr.pth")
    network = load_network(tmp_path / "vdsr.pth")
    assert network.parameters == 3 * 3 * (1 * 64 + 18 * 64 * 64 + 64 * 1)
    assert len(network.layers) == 19


def test_random_weights_have_the_variance_of_he_et_al() -> None:
    weights = VDSR(channels=64, blocks=1).residual_layer[0].conv.weight
    assert weights.var().item() == pytest.approx(2 / (3 * 3 * 64), rel=0.05)


def test_a_reinitialized_copy_draws_every_weight_anew(tmp_path: Path, module: VDSR) -> None:
    torch.save(module.state_dict(), tmp_path / "vdsr.pth")
    twin = reinitialized_copy(load_network(tmp_path / "vdsr.pth"))
    pairs = zip(twin.module.parameters(), module.parameters(), strict=True)
    assert not any(torch.equal(copied, original) for copied, original in pairs)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("input.bias", torch.zeros(6)),
        ("input.weight", torch.tensor(1.0)),
        ("output.weight", torch.zeros(3, 6, 3, 3)),
        ("residual_layer.1000000000.conv.weight", torch.zeros(6, 6, 3, 3)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, module: VDSR, key: str, tensor: torch.Tensor) -> None:
    torch.save(module.state_dict() | {key: tensor}, tmp_path / "net.pth")
    assert "VDSR" in refusal(tmp_path / "net.pth")
