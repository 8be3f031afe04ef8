"""Fast-SRGAN: its formula and its pixel range."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import FastSRGAN, load_network


@pytest.fixture
def state() -> dict[str, Tensor]:
    """Under the published names, as compiled modules are saved."""
    torch.manual_seed(0)
    state = FastSRGAN(channels=6, blocks=2, factors=(2, 2)).state_dict()
    return {"_orig_mod." + key.replace(".prelu.", ".relu."): tensor for key, tensor in state.items()}


def test_against_the_published_formula(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "model.pt")
    network = load_network(tmp_path / "model.pt")
    assert (network.architecture, network.scale, network.channels) == ("Fast-SRGAN", 4, 3)
    assert (network.global_residual, network.minimum_size) == (False, 2)
    assert any("tiles" in note for note in network.notes)
    weights = {key.removeprefix("_orig_mod."): tensor for key, tensor in state.items()}

    def convolve(x: Tensor, name: str) -> Tensor:
        return functional.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), padding=1)

    def normalize(x: Tensor) -> Tensor:
        mean, variance = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, unbiased=False)
        return (x - mean) / torch.sqrt(variance + 1e-5)

    def activate(x: Tensor, name: str) -> Tensor:
        return x.clamp_min(0) + weights[f"{name}.weight"] * x.clamp_max(0)

    batch, expected = torch.rand(2, 3, 9, 10), {}
    # The published program maps bytes to -1..1.
    first = x = activate(convolve(255 * batch / 127.5 - 1, "neck.0"), "neck.1")
    for n in range(2):
        inner = activate(normalize(convolve(x, f"stem.{n}.conv1")), f"stem.{n}.relu1")
        expected[f"stem.{n}"] = x = x + normalize(convolve(inner, f"stem.{n}.conv2"))
    x = first + normalize(convolve(x, "bottleneck.0"))
    for n in range(2):
        x = activate(functional.pixel_shuffle(convolve(x, f"upsampling.{n}.conv"), 2), f"upsampling.{n}.relu")
    expected["head.0:input"] = x
    image = (convolve(x, "head.0").tanh() + 1) / 2
    torch.testing.assert_close(network(batch), image, atol=1e-5, rtol=0)
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "head.0:input"
    for layer, values in captured.items():
        torch.testing.assert_close(values, expected[layer], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("neck.0.weight", torch.zeros(6, 3)),
        ("neck.0.weight", torch.zeros(6, 3, 9, 9)),
        ("stem.7.conv1.weight", torch.zeros(6, 6, 3, 3)),
        ("upsampling.0.conv.weight", torch.zeros(23, 6, 3, 3)),
        ("head.1.weight", torch.zeros(1)),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, state: dict[str, Tensor], key: str, tensor: Tensor
) -> None:
    torch.save(state | {f"_orig_mod.{key}": tensor}, tmp_path / "net.pth")
    assert "Fast-SRGAN" in refusal(tmp_path / "net.pth")
