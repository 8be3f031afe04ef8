"""PAN: its formula, and its scale."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from formulas import Formula, State, assert_layers, convolution, images, saved


def pan_state(two_steps: bool, channels: int = 6, late: int = 4) -> State:
    state = convolution("conv_first", channels, 3, 3) | convolution("trunk_conv", channels, channels, 3)
    for n in range(2):
        block = f"SCPA_trunk.{n}"
        for name in ("conv1_a", "conv1_b"):
            state |= convolution(f"{block}.{name}", 3, channels, 1, bias=False)
        for name in ("k1.0", "PAConv.k3", "PAConv.k4"):
            state |= convolution(f"{block}.{name}", 3, 3, 3, bias=False)
        state |= convolution(f"{block}.PAConv.k2", 3, 3, 1) | convolution(f"{block}.conv3", channels, 6, 1, bias=False)
    for step in (1, 2) if two_steps else (1,):
        state |= convolution(f"upconv{step}", late, channels if step == 1 else late, 3)
        state |= convolution(f"att{step}.conv", late, late, 1) | convolution(f"HRconv{step}", late, late, 3)
    return state | convolution("conv_last", 3, late, 3)


@pytest.mark.parametrize("factors", [(2,), (2, 2)])
def test_pan_against_the_published_formula(tmp_path: Path, factors: tuple[int, ...]) -> None:
    state, batch, scale = pan_state(len(factors) == 2), images(2, 9, 10), 2 ** len(factors)
    # So little is added to the bilinear enlargement that measuring does not decide between x2 and x3.
    state["conv_last.weight"] *= 1e-4
    state["conv_last.bias"] *= 1e-4
    network = saved(tmp_path / "pan.pth", state)
    assert (network.architecture, network.scale, network.channels) == ("PAN", scale, 3)
    assert (network.global_residual, network.global_residual_source) == (True, "architecture")
    conv = Formula(state)

    def act(x: Tensor) -> Tensor:
        return functional.leaky_relu(x, 0.2)

    blocks = [conv(batch, "conv_first")]
    for name in ("SCPA_trunk.0", "SCPA_trunk.1"):
        left, right = act(conv(blocks[-1], f"{name}.conv1_a")), act(conv(blocks[-1], f"{name}.conv1_b"))
        attention = conv(right, f"{name}.PAConv.k2").sigmoid()
        right = conv(conv(right, f"{name}.PAConv.k3") * attention, f"{name}.PAConv.k4")
        both = torch.cat([act(conv(left, f"{name}.k1.0")), act(right)], 1)
        blocks.append(blocks[-1] + conv(both, f"{name}.conv3"))
    features = blocks[0] + conv(blocks[-1], "trunk_conv")
    for step, factor in enumerate(factors, 1):
        enlarged = features.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
        features = conv(enlarged, f"upconv{step}")
        features = act(features * conv(features, f"att{step}.conv").sigmoid())
        features = act(conv(features, f"HRconv{step}"))
    bilinear = functional.interpolate(batch, scale_factor=scale, mode="bilinear")
    output = network(batch)
    torch.testing.assert_close(output, conv(features, "conv_last") + bilinear)
    torch.testing.assert_close((output - bilinear) * 1e4, conv(features, "conv_last") * 1e4, atol=1e-2, rtol=0)
    assert_layers(network, batch, {"SCPA_trunk.0": blocks[1], "SCPA_trunk.1": blocks[2], "conv_last:input": features})


def pan_for_threefold() -> State:
    """A PAN that equals the bilinear enlargement if and only if the nearest enlargement inside is by 3.

    It adds a multiple of the smaller one of the horizontal steps before and after a pixel, with one pixel in between.
    Where each value is repeated three times, one of the two is always 0.
    """
    state = {key: torch.zeros_like(tensor) for key, tensor in pan_state(two_steps=False).items()}
    state["conv_first.weight"][0, 0, 1, 1] = 1
    state["att1.conv.bias"] += 30
    state["upconv1.weight"][0, 0, 1, :2] = torch.tensor([-1.0, 1.0])
    state["upconv1.weight"][1, 0, 1, :2] = torch.tensor([1.0, -1.0])
    # The sum of a leaky ReLU of slope 0.2 of both signs is 0.8 times the absolute value.
    for channel, (before, after) in enumerate([(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)]):
        state["HRconv1.weight"][channel, :2, 1, 0] = before / 0.8
        state["HRconv1.weight"][channel, :2, 1, 2] = after / 0.8
    state["conv_last.weight"][:, :3, 1, 1] = 50 * torch.tensor([1.0, -1 / 0.8, -1 / 0.8])
    return state


def test_the_scale_of_a_pan_with_one_enlargement_is_measured(tmp_path: Path) -> None:
    network, batch = saved(tmp_path / "pan.pth", pan_for_threefold()), images(1, 9, 10)
    assert network.scale == 3
    expected = functional.interpolate(batch, scale_factor=3, mode="bilinear")
    torch.testing.assert_close(network(batch), expected, atol=1e-4, rtol=0)
    assert len([note for note in network.notes if note.startswith("Scale: ")]) == 1


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("conv_first.weight", torch.zeros(6, 1, 3, 3)),
        ("upconv1.weight", torch.zeros(0)),
        ("SCPA_trunk.1.conv3.weight", torch.zeros(6, 7, 1, 1)),
        ("SCPA_trunk.1000000000.conv3.weight", torch.zeros(6, 6, 1, 1)),
        ("HRconv2.weight", torch.zeros(4, 5, 3, 3)),
    ],
)
@pytest.mark.parametrize("two_steps", [False, True])
def test_weights_that_do_not_fit_pan_are_refused(tmp_path: Path, key: str, tensor: Tensor, two_steps: bool) -> None:
    torch.save(pan_state(two_steps) | {key: tensor}, tmp_path / "net.pth")
    assert "PAN" in refusal(tmp_path / "net.pth")
