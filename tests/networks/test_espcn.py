"""ESPCN: its formula."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import ESPCN, load_network


@pytest.mark.parametrize("channels, scale, sides", [(1, 3, (5, 3, 3)), (3, 2, (5, 3, 3)), (1, 4, (3, 5, 3))])
def test_against_the_published_formula(tmp_path: Path, channels: int, scale: int, sides: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    state = ESPCN(channels, 6, 4, scale, sides).state_dict()
    torch.save(state, tmp_path / "espcn.pth")
    network = load_network(tmp_path / "espcn.pth")
    assert (network.architecture, network.scale, network.channels) == ("ESPCN", scale, channels)
    assert network.global_residual is False

    def convolve(x: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    batch = torch.rand(2, channels, 9, 10)
    first = convolve(batch, "first_part.0").tanh()
    last = convolve(first, "first_part.2").tanh()
    torch.testing.assert_close(network(batch), functional.pixel_shuffle(convolve(last, "last_part.0"), scale))
    captured = capture(network.module, batch, network.layers)
    torch.testing.assert_close(captured, {"first_part.1": first, "last_part.0:input": last})
    assert network.last_hr_layer == "last_part.0:input"


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("first_part.0.weight", torch.zeros(6)),
        ("first_part.0.weight", torch.zeros(6, 0, 5, 5)),
        ("first_part.2.weight", torch.zeros(4, 5, 3, 3)),
        ("last_part.0.weight", torch.zeros(8, 4, 3, 3)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(ESPCN(1, 6, 4, 3).state_dict() | {key: tensor}, tmp_path / "net.pth")
    assert "ESPCN" in refusal(tmp_path / "net.pth")
