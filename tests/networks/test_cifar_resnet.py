"""The ResNets for CIFAR: their formula, with both kinds of shortcuts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import CifarResNet, load_network

STRIDES = {"layer1": 1, "layer2": 2, "layer3": 2}


def drawn(projected: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(0)
    state = CifarResNet(4, (4, 8, 16), (2, 1, 2), (False, projected, projected), 5).state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "running_var")):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
    return state


@pytest.mark.parametrize("projected", [False, True])
def test_against_the_published_formula(tmp_path: Path, projected: bool) -> None:
    state = drawn(projected)
    content = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "best_prec1": 92.6}
    torch.save(content, tmp_path / "resnet.th")
    network = load_network(tmp_path / "resnet.th")
    assert (network.architecture, network.scale, network.channels) == ("CIFAR ResNet", 1, 3)
    assert any("32 pixels" in note for note in network.notes)

    def convolve(x: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{convolution}.weight"]
        x = functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, variance, gain, shift = (
            state[f"{norm}.{kind}"].reshape(1, -1, 1, 1) for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain + shift

    batch = torch.rand(2, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = convolve((batch - mean[:, None, None]) / deviation[:, None, None], "conv1", "bn1").relu()
    expected = {}
    for name in ("layer1.0", "layer1.1", "layer2.0", "layer3.0", "layer3.1"):
        stride = STRIDES[name[:6]] if name.endswith(".0") else 1
        inner = convolve(convolve(x, f"{name}.conv1", f"{name}.bn1", stride).relu(), f"{name}.conv2", f"{name}.bn2")
        if stride == 2 and projected:
            x = convolve(x, f"{name}.shortcut.0", f"{name}.shortcut.1", 2)
        elif stride == 2:
            # A quarter of the new channels before and after: zeros.
            zeros = torch.zeros(2, x.shape[1] // 2, x.shape[2] // 2, x.shape[3] // 2)
            x = torch.cat([zeros, x[:, :, ::2, ::2], zeros], dim=1)
        expected[name] = x = (x + inner).relu()
    expected["linear:input"] = pooled = x.flatten(2).mean(dim=2)
    logits = pooled @ state["linear.weight"].T + state["linear.bias"]
    torch.testing.assert_close(network(batch), logits, atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(expected) and network.last_hr_layer == "linear:input"
    for name, values in captured.items():
        torch.testing.assert_close(values, expected[name], atol=1e-5, rtol=1e-5)


def test_the_published_resnet20_has_its_number_of_parameters(tmp_path: Path) -> None:
    torch.save(CifarResNet().state_dict(), tmp_path / "resnet.th")
    # Table 6 of the paper: 0.27 M.
    assert load_network(tmp_path / "resnet.th").parameters == 269_722


def test_images_are_resized_as_pillow_does_it(tmp_path: Path) -> None:
    torch.save(drawn(), tmp_path / "resnet.th")
    network = load_network(tmp_path / "resnet.th")
    plane = np.random.default_rng(0).random((45, 70), dtype=np.float32)
    resized = torch.tensor(np.array(Image.fromarray(plane).resize((32, 32), Image.Resampling.BICUBIC)))
    batch = torch.from_numpy(plane).expand(1, 3, 45, 70)
    torch.testing.assert_close(network(batch), network(resized.expand(1, 3, 32, 32)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("conv1.weight", torch.tensor(1.0)),
        ("layer2.0.conv1.weight", torch.zeros(8, 5, 3, 3)),
        ("layer2.1000000000.conv1.weight", torch.zeros(8, 8, 3, 3)),
        ("layer9.0.conv1.weight", torch.zeros(8, 8, 3, 3)),
        ("layer2.0.conv3.weight", torch.zeros(8, 8, 1, 1)),
        ("linear.weight", torch.zeros(5, 15)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(drawn() | {key: tensor}, tmp_path / "net.pth")
    assert "CIFAR ResNet" in refusal(tmp_path / "net.pth")
