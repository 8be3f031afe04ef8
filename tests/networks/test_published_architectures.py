"""IMDN and PAN: their formulas under the published names of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import Network, load_network

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def convolution(name: str, outputs: int, inputs: int, side: int, bias: bool = True) -> State:
    weights = {f"{name}.weight": torch.randn(outputs, inputs, side, side) / (inputs**0.5 * side)}
    return weights | ({f"{name}.bias": torch.randn(outputs) / 10} if bias else {})


class Formula:
    """Convolutions with the weights of a state, by name."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, x: Tensor, name: str, stride: int = 1, padding: int | None = None, groups: int = 1) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        padding = weight.shape[-1] // 2 if padding is None else padding
        return functional.conv2d(x, weight, bias, stride, padding, groups=groups)


def saved(path: Path, state: State) -> Network:
    torch.save(state, path)
    return load_network(path)


def assert_layers(network: Network, batch: Tensor, expected: dict[str, Tensor]) -> None:
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(network.layers) == list(expected)
    assert network.last_hr_layer == network.layers[-1]
    torch.testing.assert_close(captured, expected)


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.05)


def imdn_block(name: str, channels: int, kept: int, steps: tuple[str, ...]) -> State:
    rest = channels - kept
    state = convolution(f"{name}.{steps[0]}", channels, channels, 3)
    state |= convolution(f"{name}.{steps[1]}", channels, rest, 3) | convolution(f"{name}.{steps[2]}", channels, rest, 3)
    return (
        state
        | convolution(f"{name}.{steps[3]}", kept, rest, 3)
        | convolution(f"{name}.{steps[4]}", channels, 4 * kept, 1)
    )


def imdn_state(scale: int, channels: int = 8, kept: int = 2) -> State:
    state = convolution("fea_conv", channels, 3, 3)
    for name in ("IMDB1", "IMDB2"):
        state |= imdn_block(name, channels, kept, ("c1", "c2", "c3", "c4", "c5"))
        state |= convolution(f"{name}.cca.conv_du.0", 3, 4 * kept, 1) | convolution(
            f"{name}.cca.conv_du.2", 4 * kept, 3, 1
        )
    state |= convolution("c.0", channels, 2 * channels, 1) | convolution("LR_conv", channels, channels, 3)
    return state | convolution("upsampler.0", 3 * scale * scale, channels, 3)


def imdn_block_output(
    conv: Formula, x: Tensor, name: str, kept: int, steps: tuple[str, ...], attention: bool
) -> Tensor:
    parts, rest = [], x
    for step in steps[:3]:
        part, rest = leaky(conv(rest, f"{name}.{step}")).tensor_split([kept], 1)
        parts.append(part)
    joined = torch.cat([*parts, conv(rest, f"{name}.{steps[3]}")], 1)
    if attention:
        mean = joined.mean((2, 3), keepdim=True)
        contrast = ((joined - mean) ** 2).mean((2, 3), keepdim=True).sqrt() + mean
        hidden = conv(contrast, f"{name}.cca.conv_du.0").relu()
        joined = joined * conv(hidden, f"{name}.cca.conv_du.2").sigmoid()
    return x + conv(joined, f"{name}.{steps[4]}")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_imdn_against_the_published_formula(tmp_path: Path, scale: int) -> None:
    state, batch = imdn_state(scale), torch.rand(2, 3, 9, 10)
    # As its authors save it.
    network = saved(tmp_path / "imdn.pth", {f"module.{key}": tensor for key, tensor in state.items()})
    assert (network.architecture, network.scale, network.channels) == ("IMDN", scale, 3)
    assert (network.global_residual, network.global_residual_source) == (False, "architecture")
    conv, steps = Formula(state), ("c1", "c2", "c3", "c4", "c5")
    first = conv(batch, "fea_conv")
    one = imdn_block_output(conv, first, "IMDB1", 2, steps, attention=True)
    two = imdn_block_output(conv, one, "IMDB2", 2, steps, attention=True)
    last = first + conv(leaky(conv(torch.cat([one, two], 1), "c.0")), "LR_conv")
    torch.testing.assert_close(network(batch), functional.pixel_shuffle(conv(last, "upsampler.0"), scale))
    assert_layers(network, batch, {"IMDB1": one, "IMDB2": two, "upsampler.0:input": last})


def test_imdn_with_strided_convolutions_takes_an_enlarged_image_of_any_size(tmp_path: Path) -> None:
    state = imdn_state(4)
    state["fea_conv.0.weight"], state["fea_conv.0.bias"] = state.pop("fea_conv.weight"), state.pop("fea_conv.bias")
    state |= convolution("fea_conv.2", 8, 8, 3)
    network, batch = saved(tmp_path / "imdn.pth", state), torch.rand(1, 3, 10, 13)
    assert (network.architecture, network.scale) == ("IMDN", 1)
    conv, steps = Formula(state), ("c1", "c2", "c3", "c4", "c5")
    padded = functional.pad(batch, (0, 3, 0, 2), mode="replicate")
    first = conv(leaky(conv(padded, "fea_conv.0", stride=2)), "fea_conv.2", stride=2)
    one = imdn_block_output(conv, first, "IMDB1", 2, steps, attention=True)
    two = imdn_block_output(conv, one, "IMDB2", 2, steps, attention=True)
    last = first + conv(leaky(conv(torch.cat([one, two], 1), "c.0")), "LR_conv")
    expected = functional.pixel_shuffle(conv(last, "upsampler.0"), 4)
    torch.testing.assert_close(network(batch), expected[..., :10, :13])
    assert_layers(network, batch, {"IMDB1": one, "IMDB2": two, "upsampler.0:input": last})


@pytest.mark.parametrize(
    "steps, side",
    [(("c1", "c2", "c3", "c4", "c5"), 1), (("conv1.0", "conv2.0", "conv3.0", "conv4", "conv1x1"), 3)],
    ids=["RTC", "KAIR"],
)
def test_imdn_without_fusion_under_both_namings(tmp_path: Path, steps: tuple[str, ...], side: int) -> None:
    state = convolution("model.0", 8, 3, 3)
    for n in range(11):  # model.1.sub.1 is the beginning of model.1.sub.10
        state |= imdn_block(f"model.1.sub.{n}", 8, 2, steps)
    state |= convolution("model.1.sub.11", 8, 8, side) | convolution("model.2", 12, 8, 3)
    network, batch = saved(tmp_path / "imdn.pth", state), torch.rand(1, 3, 9, 10)
    assert (network.architecture, network.scale, network.global_residual) == ("IMDN", 2, False)
    conv = Formula(state)
    layers = [conv(batch, "model.0")]
    for n in range(11):
        layers.append(imdn_block_output(conv, layers[-1], f"model.1.sub.{n}", 2, steps, attention=False))
    last = layers[0] + conv(layers[-1], "model.1.sub.11")
    torch.testing.assert_close(network(batch), functional.pixel_shuffle(conv(last, "model.2"), 2))
    blocks = {f"IMDB{n}": layers[n] for n in range(1, 12)}
    assert_layers(network, batch, blocks | {"upsampler.0:input": last})


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("IMDB1.c3.weight", torch.zeros(8, 8, 3, 3)),
        ("IMDB1000000000.c1.weight", torch.zeros(8, 8, 3, 3)),
        ("upsampler.0.weight", torch.tensor(1.0)),
        ("LR_conv.weight", torch.zeros(8, 8)),
        ("c.0.bias", torch.zeros(9)),
        ("fea_conv.weight", torch.zeros(8, 0, 3, 3)),
    ],
)
def test_weights_that_do_not_fit_imdn_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(imdn_state(2) | {key: tensor}, tmp_path / "net.pth")
    assert "IMDN" in refusal(tmp_path / "net.pth")


def test_a_strided_imdn_must_not_shrink_its_input(tmp_path: Path) -> None:
    state = imdn_state(2)
    state["fea_conv.0.weight"], state["fea_conv.0.bias"] = state.pop("fea_conv.weight"), state.pop("fea_conv.bias")
    torch.save(state | convolution("fea_conv.2", 8, 8, 3), tmp_path / "net.pth")
    assert "IMDN" in refusal(tmp_path / "net.pth")


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
    state, batch, scale = pan_state(len(factors) == 2), torch.rand(2, 3, 9, 10), 2 ** len(factors)
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
    network, batch = saved(tmp_path / "pan.pth", pan_for_threefold()), torch.rand(1, 3, 9, 10)
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
