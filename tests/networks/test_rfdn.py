"""RFDN and RLFN: their formulas, under all names of their weights, and what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.networks import RFDN, RLFN, load_network
from ddrscope.networks.architectures.rfdn import Form
from formulas import Formula, State, assert_layers, convolution, images, saved

STEPS = ("c1", "c2", "c3")


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.05)


def attention_state(name: str, channels: int, hidden: int, steps: tuple[str, ...]) -> State:
    state = convolution(f"{name}.conv1", hidden, channels, 1) | convolution(f"{name}.conv4", channels, hidden, 1)
    state |= convolution(f"{name}.conv_f", hidden, hidden, 1)
    for step in ("conv2", *steps):
        state |= convolution(f"{name}.{step}", hidden, hidden, 3)
    return state


def attended(conv: Formula, x: Tensor, name: str, steps: tuple[str, ...]) -> Tensor:
    fine = conv(x, f"{name}.conv1")
    coarse = functional.max_pool2d(conv(fine, f"{name}.conv2", stride=2, padding=0), 7, 3)
    for step in steps[:-1]:
        coarse = conv(coarse, f"{name}.{step}").relu()
    coarse = functional.interpolate(conv(coarse, f"{name}.{steps[-1]}"), x.shape[-2:], mode="bilinear")
    return x * conv(coarse + conv(fine, f"{name}.conv_f"), f"{name}.conv4").sigmoid()


RFDN_ATTENTION = ("conv_max", "conv3", "conv3_")


def rfdn_state(scale: int = 2, channels: int = 8, narrow: int = 3) -> State:
    state = convolution("fea_conv", channels, 3, 3) | convolution("c.0", channels, 2 * channels, 1)
    for block in ("B1", "B2"):
        for step in STEPS:
            state |= convolution(f"{block}.{step}_d", narrow, channels, 1)
            state |= convolution(f"{block}.{step}_r", channels, channels, 3)
        state |= convolution(f"{block}.c4", narrow, channels, 3) | convolution(f"{block}.c5", channels, 4 * narrow, 1)
        state |= attention_state(f"{block}.esa", channels, 2, RFDN_ATTENTION)
    return state | convolution("LR_conv", channels, channels, 3) | convolution("upsampler.0", 3 * scale**2, channels, 3)


def rfdn_layers(state: State, batch: Tensor, form: Form) -> dict[str, Tensor]:
    conv = Formula(state)
    layers = {"": conv(batch * form.pixel_range, "fea_conv")}
    for block in ("B1", "B2"):
        x, kept = list(layers.values())[-1], []
        for step, dilation in zip(STEPS, form.dilations, strict=True):
            kept.append(leaky(conv(x, f"{block}.{step}_d")))
            weight, bias = state[f"{block}.{step}_r.weight"], state[f"{block}.{step}_r.bias"]
            changed = functional.conv2d(x, weight, bias, padding=dilation, dilation=dilation)
            x = leaky(changed + x if form.skips else changed)
        kept.append(leaky(conv(x, f"{block}.c4")))
        layers[block] = attended(conv, conv(torch.cat(kept, 1), f"{block}.c5"), f"{block}.esa", RFDN_ATTENTION)
    last = conv(leaky(conv(torch.cat([layers["B1"], layers["B2"]], 1), "c.0")), "LR_conv") + layers.pop("")
    return layers | {"upsampler.0:input": last}


@pytest.mark.parametrize("form", [Form(), Form(1.0), Form(1.0, (1, 2, 5)), Form(skips=False)])
def test_rfdn_against_the_published_formula(form: Form) -> None:
    state, batch = rfdn_state(), images(2, 17, 20)
    module = RFDN(channels=8, blocks=2, narrow=3, hidden=2, scale=2, form=form).eval()
    module.load_state_dict(state)
    last = rfdn_layers(state, batch, form)["upsampler.0:input"]
    expected = functional.pixel_shuffle(Formula(state)(last, "upsampler.0"), 2) / form.pixel_range
    with torch.inference_mode():
        torch.testing.assert_close(module(batch), expected)


def copying(state: State, *names: str) -> State:
    """All weights 0, but the named convolutions copy their first three channels (the last one into 2 x 2 pixels)."""
    state = {key: torch.zeros_like(tensor) for key, tensor in state.items()}
    for name in names:
        weight = state[f"{name}.weight"]
        repeat = 4 if name == "upsampler.0" else 1
        for channel in range(3 * repeat):
            weight[channel, channel // repeat, weight.shape[2] // 2, weight.shape[3] // 2] = 1
    return state


def rfdn_for_255() -> State:
    """It enlarges by the nearest pixel; its bias is an error of 0.3 of 1 or of 255."""
    return copying(rfdn_state(), "fea_conv", "upsampler.0") | {"upsampler.0.bias": torch.full((12,), 0.3)}


def rfdn_for_1() -> State:
    """It adds x and 10 - leaky(2 - x), which is 8 + x for x below 2 only."""
    state = copying(rfdn_state(), "fea_conv", "B1.c1_d", "B1.c5", "c.0", "LR_conv", "upsampler.0")
    state["B1.esa.conv4.bias"] += 30
    state["B1.c1_d.weight"] *= -1
    state["B1.c1_d.bias"] += 2
    state["c.0.weight"] *= -1
    state["c.0.bias"] += 10
    state["upsampler.0.weight"] /= 2
    state["upsampler.0.bias"] -= 4
    return state


@pytest.mark.parametrize("state, pixel_range", [(rfdn_for_255(), 255.0), (rfdn_for_1(), 1.0)], ids=["0..255", "0..1"])
def test_the_pixel_range_of_an_rfdn_is_measured(tmp_path: Path, state: State, pixel_range: float) -> None:
    network, batch = saved(tmp_path / "rfdn.pth", state), images(2, 17, 20)
    assert (network.architecture, network.scale, network.minimum_size) == ("RFDN", 2, 15)
    assert (network.global_residual, network.global_residual_source) == (False, "architecture")
    assert len(network.notes) == 1
    layers = rfdn_layers(state, batch, Form(pixel_range))
    assert_layers(network, batch, layers)
    last = Formula(state)(layers["upsampler.0:input"], "upsampler.0")
    torch.testing.assert_close(network(batch), functional.pixel_shuffle(last, 2) / pixel_range)
    torch.testing.assert_close(network(batch), batch.repeat_interleave(2, 2).repeat_interleave(2, 3), atol=2e-3, rtol=0)


def rlfn_state(scale: int = 2, channels: int = 8, middle: int = 6) -> State:
    state = convolution("conv_1", channels, 3, 3) | convolution("conv_2", channels, channels, 3)
    for block in ("block_1", "block_2", "block_3"):
        state |= convolution(f"{block}.c1_r", middle, channels, 3) | convolution(f"{block}.c2_r", middle, middle, 3)
        state |= convolution(f"{block}.c3_r", channels, middle, 3) | convolution(f"{block}.c5", channels, channels, 1)
        state |= attention_state(f"{block}.esa", channels, 3, ("conv3",))
    return state | convolution("upsampler.0", 3 * scale**2, channels, 3)


def challenge_names(state: State) -> State:
    changed = {"conv_1": "fea_conv", "conv_2": "LR_conv", "block_1": "B1", "block_2": "B2", "block_3": "B3"}
    parts = {key: key.partition(".") for key in state}
    return {changed.get(parts[key][0], parts[key][0]) + "." + parts[key][2]: tensor for key, tensor in state.items()}


@pytest.mark.parametrize("challenge", [False, True])
def test_rlfn_against_the_published_formula_under_both_namings(tmp_path: Path, challenge: bool) -> None:
    state, batch = rlfn_state(), images(2, 17, 20)
    # So small a change of the enlarged image that the range of the pixels is not decided, and 0..255 is assumed.
    state["upsampler.0.weight"] *= 1e-6
    state["upsampler.0.bias"] *= 1e-6
    network = saved(tmp_path / "rlfn.pth", challenge_names(state) if challenge else state)
    assert (network.architecture, network.scale, network.channels, network.minimum_size) == ("RLFN", 2, 3, 15)
    conv = Formula(state)
    layers = [conv(batch * 255, "conv_1")]
    for block in ("block_1", "block_2", "block_3"):
        x = layers[-1]
        for step in STEPS:
            x = leaky(conv(x, f"{block}.{step}_r"))
        layers.append(attended(conv, conv(x + layers[-1], f"{block}.c5"), f"{block}.esa", ("conv3",)))
    last = conv(layers[-1], "conv_2") + layers[0]
    blocks = {f"block_{n}": layers[n] for n in (1, 2, 3)}
    assert_layers(network, batch, blocks | {"upsampler.0:input": last})
    # It adds nearly nothing, so it needs the enlarged image.
    assert (network.global_residual, network.global_residual_source) == (True, "measured")
    output = functional.pixel_shuffle(conv(last, "upsampler.0"), 2) / 255
    bilinear = functional.interpolate(batch, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(network(batch), output + bilinear)
    alone = load_network(tmp_path / "rlfn.pth", global_residual=False)
    torch.testing.assert_close(alone(batch), output)


def test_the_pixel_range_and_the_residual_of_an_rlfn_are_measured(tmp_path: Path) -> None:
    state = copying(rlfn_state(), "conv_1", "upsampler.0") | {"upsampler.0.bias": torch.full((12,), 0.3)}
    network, batch = saved(tmp_path / "rlfn.pth", state), images(2, 17, 20)
    assert (network.global_residual, network.global_residual_source) == (False, "measured")
    nearest = batch.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(network(batch), nearest + 0.3 / 255)


def test_the_published_rlfn_has_six_blocks_of_52_channels() -> None:
    block = 3 * 52 * (52 * 9 + 1) + 52 * 53 + 52 * 16 + 16 + 2 * 16 * (16 * 9 + 1) + 16 * 17 + 52 * 17
    ends = 52 * (27 + 1) + 52 * (52 * 9 + 1) + 48 * (52 * 9 + 1)
    assert sum(parameter.numel() for parameter in RLFN().parameters()) == 6 * block + ends


@pytest.mark.parametrize("architecture, state", [("RFDN", rfdn_state()), ("RLFN", rlfn_state())])
@pytest.mark.parametrize(
    "key, tensor",
    [
        ("upsampler.0.weight", torch.zeros(12)),
        ("upsampler.0.weight", torch.zeros(3 << 20, 1, 1, 1)),
        ("upsampler.0.bias", torch.zeros(13)),
        ("B1000000000.c5.weight", torch.zeros(8, 8, 1, 1)),
        ("block_1000000000.c5.weight", torch.zeros(8, 8, 1, 1)),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, architecture: str, state: State, key: str, tensor: Tensor
) -> None:
    torch.save(state | {key: tensor}, tmp_path / "net.pth")
    assert architecture in refusal(tmp_path / "net.pth")
