"""The generator of SRGAN: its formula, the two ways in which its ports name the blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import SRGAN, load_network, reinitialized_copy

State = dict[str, Tensor]


def drawn(blocks: int = 2, factors: tuple[int, ...] = (2, 2), slopes: int = 1) -> SRGAN:
    torch.manual_seed(0)
    module = SRGAN(3, 8, blocks, factors, (9, 5), slopes).eval()
    for name, tensor in module.state_dict().items():
        if name.endswith(("running_mean", "running_var")) or ".bn" in name or "body_end.1" in name:
            tensor.copy_(torch.rand(tensor.shape) + 0.5) if tensor.is_floating_point() else None
    return module


def numbered(state: State) -> State:
    """All blocks numbered from the first to the last, as in the common port."""
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    steps = len({key.split(".")[1] for key in state if key.startswith("upsampling.")})
    renames = [
        (r"head\.", lambda _: "block1."),
        (r"body\.(\d+)\.", lambda match: f"block{int(match[1]) + 2}."),
        (r"body_end\.", lambda _: f"block{blocks + 2}."),
        (r"upsampling\.", lambda _: f"block{blocks + 3}."),
        (r"output\.", lambda _: f"block{blocks + 3}.{steps}."),
    ]

    def rename(key: str) -> str:
        return next(re.sub(f"^{old}", new, key) for old, new in renames if re.match(old, key))

    return {rename(key): tensor for key, tensor in state.items()}


def listed(state: State) -> State:
    """The residual blocks in a list of their own; the last two blocks keep the numbers of the paper."""
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    renamed = {}
    for key, tensor in numbered(state).items():
        number, rest = re.fullmatch(r"block(\d+)\.(.+)", key).groups()
        at = int(number) - 2
        place = f"residual_blocks.{at}" if 0 <= at < blocks else f"block{18 + at - blocks if at >= 0 else 1}"
        renamed[f"{place}.{rest}"] = tensor
    return renamed


def published(state: State, x: Tensor, blocks: int, factors: tuple[int, ...]) -> dict[str, Tensor]:
    """The published formula, by layer, with the names of the common port; the output image is ``image``."""

    def convolve(x: Tensor, name: str) -> Tensor:
        weight = state[f"{name}.weight"]
        return functional.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    def normalize(x: Tensor, name: str) -> Tensor:
        mean, variance, gain, shift = (
            state[f"{name}.{kind}"].reshape(1, -1, 1, 1) for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift

    def activate(x: Tensor, name: str) -> Tensor:
        return torch.where(x > 0, x, x * state[f"{name}.weight"].reshape(1, -1, 1, 1))

    layers = {}
    first = x = activate(convolve(x, "block1.0"), "block1.1")
    for n in range(blocks):
        name = f"block{n + 2}"
        inner = activate(normalize(convolve(x, f"{name}.conv1"), f"{name}.bn1"), f"{name}.prelu")
        layers[f"body.{n}"] = x = x + normalize(convolve(inner, f"{name}.conv2"), f"{name}.bn2")
    end, last = f"block{blocks + 2}", f"block{blocks + 3}"
    x = first + normalize(convolve(x, f"{end}.0"), f"{end}.1")
    for n, factor in enumerate(factors):
        x = functional.pixel_shuffle(convolve(x, f"{last}.{n}.conv"), factor)
        x = activate(x, f"{last}.{n}.prelu")
    layers["output:input"] = x
    layers["image"] = (convolve(x, f"{last}.{len(factors)}").tanh() + 1) / 2
    return layers


@pytest.mark.parametrize("naming", [numbered, listed])
@pytest.mark.parametrize("factors, slopes", [((2, 2), 1), ((3,), 8), ((2, 2, 2), 1)])
def test_against_the_published_formula(tmp_path: Path, naming, factors: tuple[int, ...], slopes: int) -> None:
    state = drawn(2, factors, slopes).state_dict()
    torch.save(naming(state), tmp_path / "netG.pth")
    network = load_network(tmp_path / "netG.pth")
    scale = 2 ** len(factors) if factors[0] == 2 else 3
    assert (network.architecture, network.scale, network.channels) == ("SRGAN", scale, 3)
    assert network.global_residual is False and network.last_hr_layer == "output:input"
    batch = torch.rand(2, 3, 9, 10)
    expected = published(numbered(state), batch, 2, factors)
    torch.testing.assert_close(network(batch), expected.pop("image"), atol=1e-5, rtol=0)
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(expected)
    for layer, values in captured.items():
        torch.testing.assert_close(values, expected[layer], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("blocks", [5, 16])
def test_any_number_of_blocks(tmp_path: Path, blocks: int) -> None:
    module = drawn(blocks, (2,))
    torch.save({"netG": numbered(module.state_dict())}, tmp_path / "netG.pth")
    network, batch = load_network(tmp_path / "netG.pth"), torch.rand(1, 3, 8, 8)
    assert (network.scale, len(network.layers)) == (2, blocks + 1)
    with torch.inference_mode():
        assert torch.equal(network(batch), module(batch))
    assert not torch.equal(reinitialized_copy(network)(batch), network(batch))
    # An exported network has the names of the module.
    torch.save(network.module.state_dict(), tmp_path / "exported.pth")
    assert torch.equal(load_network(tmp_path / "exported.pth")(batch), network(batch))


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("block1.0.weight", torch.zeros(8, 3, 9)),
        ("block3.conv1.weight", torch.zeros(4, 8, 3, 3)),
        ("block5.0.conv.weight", torch.zeros(30, 8, 3, 3)),
        ("block5.1000000000.conv.weight", torch.zeros(32, 8, 3, 3)),
        ("block999.0.weight", torch.zeros(8, 8, 3, 3)),
        ("block4.0.bias", torch.zeros(7)),
        ("extra.weight", torch.zeros(7)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(numbered(drawn().state_dict()) | {key: tensor}, tmp_path / "net.pth")
    assert "SRGAN" in refusal(tmp_path / "net.pth")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    state = {key: value for key, value in numbered(drawn().state_dict()).items() if not key.startswith("block5.2")}
    torch.save(state, tmp_path / "net.pth")
    assert "SRGAN" in refusal(tmp_path / "net.pth")
