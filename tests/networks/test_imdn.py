"""IMDN: its formula, under all names of its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from formulas import Formula, State, assert_layers, convolution, images, saved


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
    state, batch = imdn_state(scale), images(2, 9, 10)
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
    network, batch = saved(tmp_path / "imdn.pth", state), images(1, 10, 13)
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
    network, batch = saved(tmp_path / "imdn.pth", state), images(1, 9, 10)
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
