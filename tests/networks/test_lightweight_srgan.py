"""SRGAN generators with light blocks: their formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import LightweightSRGAN, load_network
from ddrscope.networks.architectures.lightweight_srgan import FireBlock, MobileBlock, ShuffleBlock
from ddrscope.networks.architectures.srgan import NormalizedBlock

State = dict[str, Tensor]
CHANNELS = 8


class Published:
    """The formulas of the published blocks, by the names of their weights."""

    def __init__(self, state: State) -> None:
        self.state = state

    def convolve(self, x: Tensor, name: str) -> Tensor:
        weight = self.state[f"{name}.weight"]
        groups = x.shape[1] // weight.shape[1]
        return functional.conv2d(
            x, weight, self.state.get(f"{name}.bias"), padding=weight.shape[-1] // 2, groups=groups
        )

    def normalize(self, x: Tensor, name: str, eps: float = 1e-5) -> Tensor:
        mean, variance, gain, shift = (
            self.state[f"{name}.{kind}"].reshape(1, -1, 1, 1)
            for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + eps) * gain + shift

    def fire(self, x: Tensor, name: str, _: int) -> Tensor:
        x = self.convolve(x, f"{name}.squeeze.0").relu()
        return torch.cat([self.convolve(x, f"{name}.{part}.0").relu() for part in ("expand1x1", "expand3x3")], 1)

    def shuffle(self, x: Tensor, name: str, _: int) -> Tensor:
        inner = x[:, CHANNELS // 2 :]
        for n, active in enumerate((True, False, True)):
            inner = self.normalize(self.convolve(inner, f"{name}.branch2.{n}.0"), f"{name}.branch2.{n}.1")
            inner = inner.relu() if active else inner
        output = torch.empty_like(x)
        output[:, 0::2], output[:, 1::2] = x[:, : CHANNELS // 2], inner
        return output

    def mobile(self, x: Tensor, name: str, number: int) -> Tensor:
        inner, n = x, 0
        activate = functional.relu if number < 1 else functional.hardswish
        while f"{name}.layers.{n}.0.weight" in self.state:
            inner = self.convolve(inner, f"{name}.layers.{n}.0")
            inner = activate(self.normalize(inner, f"{name}.layers.{n}.1", 1e-3).clone())
            n += 1
        # Convolutions within a block have their normalization beside them: layers.N.0, layers.N.1.
        means = inner.mean(dim=(2, 3), keepdim=True)
        factors = self.convolve(self.convolve(means, f"{name}.layers.{n}.fc1").relu(), f"{name}.layers.{n}.fc2")
        inner = inner * ((factors + 3) / 6).clamp(0, 1)
        return x + self.normalize(self.convolve(inner, f"{name}.layers.{n + 1}"), f"{name}.layers.{n + 2}", 1e-3)

    def residual(self, x: Tensor, name: str, _: int) -> Tensor:
        inner = self.normalize(self.convolve(x, f"{name}.conv1"), f"{name}.bn1")
        inner = torch.where(inner > 0, inner, inner * self.state[f"{name}.prelu.weight"])
        return x + self.normalize(self.convolve(inner, f"{name}.conv2"), f"{name}.bn2")


def mobile(wide: int, side: int) -> Callable[[], list[nn.Module]]:
    return lambda: [MobileBlock(CHANNELS, wide, side, 3, kind) for kind in (nn.ReLU, nn.Hardswish)]


KINDS: dict[str, tuple[Callable[[], list[nn.Module]], Callable[..., Tensor]]] = {
    "Fire": (lambda: [FireBlock(CHANNELS, 2, 3, 5) for _ in range(2)], Published.fire),
    "ShuffleNetV2": (lambda: [ShuffleBlock(CHANNELS) for _ in range(2)], Published.shuffle),
    "MobileNetV3": (mobile(CHANNELS, 3), Published.mobile),
    "MobileNetV3, wide": (mobile(2 * CHANNELS, 5), Published.mobile),
    "residual": (lambda: [NormalizedBlock(CHANNELS, bias=False) for _ in range(2)], Published.residual),
}


def drawn(kind: str) -> State:
    torch.manual_seed(0)
    state = LightweightSRGAN(KINDS[kind][0](), 3, CHANNELS, (2, 2)).state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "running_var")):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return state


@pytest.mark.parametrize("kind", KINDS)
def test_against_the_published_formula(tmp_path: Path, kind: str) -> None:
    state = drawn(kind)
    torch.save({"config": "MODEL: {}", "model": state}, tmp_path / "net.tar")
    network = load_network(tmp_path / "net.tar")
    assert (network.architecture, network.scale, network.channels) == ("Lightweight SRGAN", 4, 3)
    assert network.global_residual is False
    # Factors from means over the image.
    assert any("tiles" in note for note in network.notes) == kind.startswith("MobileNet")
    published, batch, expected = Published(state), torch.rand(2, 3, 9, 10), {}
    first = x = functional.leaky_relu(published.convolve(batch, "in_conv.0"), 0.1)
    for n in range(2):
        expected[f"body.body.{n}"] = x = KINDS[kind][1](published, x, f"body.body.{n}", n)
    x = first + published.convolve(x, "body_conv")
    for n in range(2):
        x = functional.pixel_shuffle(published.convolve(x, f"upsample_blocks.{n}.0"), 2)
        x = functional.leaky_relu(x, 0.1)
    expected["out_conv:input"] = x
    torch.testing.assert_close(network(batch), published.convolve(x, "out_conv"), atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "out_conv:input"
    for layer, values in captured.items():
        torch.testing.assert_close(values, expected[layer], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("in_conv.0.weight", torch.zeros(CHANNELS, 3, 3, 3)),
        ("body.body.0.squeeze.0.weight", torch.zeros(2)),
        ("body.body.1000000000.squeeze.0.weight", torch.zeros(2, CHANNELS, 1, 1)),
        ("upsample_blocks.1.0.weight", torch.zeros(0, CHANNELS, 3, 3)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(drawn("Fire") | {key: tensor}, tmp_path / "net.pth")
    assert "Lightweight SRGAN" in refusal(tmp_path / "net.pth")


def test_blocks_of_another_kind_are_refused(tmp_path: Path) -> None:
    state = {key: tensor for key, tensor in drawn("Fire").items() if not key.startswith("body.body.")}
    torch.save(state | {"body.body.0.other.weight": torch.zeros(2)}, tmp_path / "net.pth")
    assert "another kind" in refusal(tmp_path / "net.pth")
