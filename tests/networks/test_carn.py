"""CARN and PCARN: their formulas, their scales, their shared blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.networks import reinitialized_copy
from formulas import Formula, State, assert_layers, convolution, images, saved

MEAN = (0.4488, 0.4371, 0.4040)


def carn_state(photo_realistic: bool, mobile: bool, ends: dict[str, tuple[int, ...]], channels: int = 8) -> State:
    state = convolution("entry", channels, 3, 3) | convolution("exit", 3, channels, 3)
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        state[f"{name}.shifter.weight"] = torch.eye(3).view(3, 3, 1, 1)
        state[f"{name}.shifter.bias"] = sign * torch.tensor(MEAN)
    steps = ("conv1", "conv2", "pw") if photo_realistic else ("body.0", "body.2", "body.4")
    fusion = "" if photo_realistic else ".body.0"
    for cascade in ("b1.", "b2.", "b3.", ""):
        for n in (1, 2, 3):
            state |= convolution(f"{cascade}c{n}{fusion}", channels, (n + 1) * channels, 1)
            if cascade and (n == 1 or not mobile):
                for step in steps[:2]:
                    state |= convolution(f"{cascade}b{n}.{step}", channels, channels // (2 if mobile else 1), 3)
                state |= convolution(f"{cascade}b{n}.{steps[2]}", channels, channels, 1) if mobile else {}
    for end, factors in ends.items():
        for n, factor in enumerate(factors):
            name = f"upsample.{end}.body.{3 * n}"
            state |= convolution(name, channels * factor * factor, channels // (2 if mobile else 1), 3)
    return state


def carn_layers(state: State, batch: Tensor, photo_realistic: bool, mobile: bool) -> dict[str, Tensor]:
    """The layers up to the end of the body."""
    conv, groups = Formula(state), 2 if mobile else 1
    steps = ("conv1", "conv2", "pw") if photo_realistic else ("body.0", "body.2", "body.4")

    def residual(x: Tensor, name: str) -> Tensor:
        y = conv(conv(x, f"{name}.{steps[0]}", groups=groups).relu(), f"{name}.{steps[1]}", groups=groups)
        return (x + (conv(y.relu(), f"{name}.{steps[2]}") if mobile else y)).relu()

    def cascade(x: Tensor, name: str, blocks: list[Callable[[Tensor], Tensor]]) -> tuple[Tensor, list[Tensor]]:
        outputs, everything, current = [], [x], x
        for n, block in enumerate(blocks, 1):
            outputs.append(block(current))
            everything.append(outputs[-1])
            joined = torch.cat(everything, 1)
            current = conv(joined, f"{name}c{n}") if photo_realistic else conv(joined, f"{name}c{n}.body.0").relu()
        return current, outputs

    def inner(name: str) -> Callable[[Tensor], Tensor]:
        names = [f"{name}.b{1 if mobile else n}" for n in (1, 2, 3)]
        return lambda x: cascade(x, f"{name}.", [lambda y, block=block: residual(y, block) for block in names])[0]

    first = conv(batch - torch.tensor(MEAN).view(3, 1, 1), "entry")
    end, outputs = cascade(first, "", [inner(name) for name in ("b1", "b2", "b3")])
    layers = {f"body.b{n}": output for n, output in enumerate(outputs, 1)}
    return layers | {"upsample:input": end + first if photo_realistic else end}


@pytest.mark.parametrize("mobile", [False, True])
@pytest.mark.parametrize("photo_realistic", [False, True])
@pytest.mark.parametrize(
    "ends, used", [({"up2": (2,), "up3": (3,), "up4": (2, 2)}, "up4"), ({"up": (2,)}, "up"), ({"up": (3,)}, "up")]
)
def test_carn_against_the_published_formula(
    tmp_path: Path, photo_realistic: bool, mobile: bool, ends: dict[str, tuple[int, ...]], used: str
) -> None:
    state, batch = carn_state(photo_realistic, mobile, ends), images(2, 6, 7)
    network = saved(tmp_path / "carn.pth", state)
    assert network.architecture == ("PCARN" if photo_realistic else "CARN")
    assert (network.scale, network.channels) == (math.prod(ends[used]), 3)
    assert (network.global_residual, network.global_residual_source) == (False, "architecture")
    assert any("up4" in note and "up2" in note for note in network.notes) == (used == "up4")
    layers, conv = carn_layers(state, batch, photo_realistic, mobile), Formula(state)
    features = layers["upsample:input"]
    for n, factor in enumerate(ends[used]):
        features = conv(features, f"upsample.{used}.body.{3 * n}", groups=2 if mobile else 1).relu()
        features = functional.pixel_shuffle(features, factor)
    expected = conv(features, "exit") + torch.tensor(MEAN).view(3, 1, 1)
    torch.testing.assert_close(network(batch), expected)
    assert_layers(network, batch, layers | {"exit:input": features})


def test_blocks_of_a_mobile_pcarn_are_one_only_if_their_weights_are(tmp_path: Path) -> None:
    state = carn_state(photo_realistic=True, mobile=True, ends={"up": (2,)})
    once = saved(tmp_path / "once.pth", state)
    copies = {
        key.replace(".b1.", f".b{n}."): tensor.clone() for key, tensor in state.items() if ".b1." in key for n in (2, 3)
    }
    # As the published code saves it.
    thrice, batch = saved(tmp_path / "thrice.pth", state | copies), images(1, 6, 7)
    assert thrice.parameters == once.parameters
    torch.testing.assert_close(thrice(batch), once(batch))
    copies["b2.b3.pw.bias"] += 1
    different = saved(tmp_path / "different.pth", state | copies)
    assert different.parameters > once.parameters
    assert not torch.allclose(different(batch), once(batch))


def test_random_weights_of_carn_keep_the_shift_of_the_mean_colour(tmp_path: Path) -> None:
    network = saved(tmp_path / "carn.pth", carn_state(False, False, {"up": (2,)}))
    twin = reinitialized_copy(network).module.state_dict()
    torch.testing.assert_close(twin["sub_mean.shifter.bias"], -torch.tensor(MEAN))
    assert not torch.equal(twin["entry.weight"], network.module.state_dict()["entry.weight"])


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("entry.weight", torch.zeros(8)),
        ("b1.b1.body.0.weight", torch.zeros(8, 0, 3, 3)),
        ("b2.b2.body.9.weight", torch.zeros(8, 8, 3, 3)),
        ("upsample.up.body.1000000000.weight", torch.zeros(8, 8, 3, 3)),
        ("upsample.up.body.0.weight", torch.zeros(31, 8, 3, 3)),
        ("add_mean.shifter.bias", torch.zeros(1)),
    ],
)
def test_weights_that_do_not_fit_carn_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(carn_state(False, False, {"up": (2,)}) | {key: tensor}, tmp_path / "net.pth")
    assert "CARN" in refusal(tmp_path / "net.pth")


def test_a_carn_without_any_end_is_refused(tmp_path: Path) -> None:
    torch.save(carn_state(False, False, {}), tmp_path / "net.pth")
    assert "CARN" in refusal(tmp_path / "net.pth")
