"""F2SRGAN: its formula, with the spectrum shifted along all axes as published, and its pixel range."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corrupt_files import refusal
from ddrscope.layers import capture
from ddrscope.networks import F2SRGAN, load_network

CHANNELS = 16
State = dict[str, Tensor]


def drawn(steps: int = 2) -> State:
    torch.manual_seed(0)
    state = F2SRGAN(CHANNELS, 2, steps).state_dict()
    for key, sign in (("sub_mean", -1), ("add_mean", 1)):
        state[f"{key}.weight"] = torch.eye(3).reshape(3, 3, 1, 1)
        state[f"{key}.bias"] = sign * 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    return state


class Published:
    """The published formulas by the names of the weights."""

    def __init__(self, state: State) -> None:
        self.state = state

    def convolve(self, x: Tensor, name: str, reflect: bool = False) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        pad, groups = weight.shape[-1] // 2, x.shape[1] // weight.shape[1]
        x = functional.pad(x, (pad, pad, pad, pad), mode="reflect" if reflect else "constant")
        return functional.conv2d(x, weight, bias, groups=groups)

    def separable(self, x: Tensor, name: str, reflect: bool = False) -> Tensor:
        return self.convolve(self.convolve(x, f"{name}.0", reflect), f"{name}.1")

    def activate(self, x: Tensor, name: str) -> Tensor:
        return torch.where(x > 0, x, x * self.state[f"{name}.weight"][:, None, None])

    def spectral(self, x: Tensor, name: str) -> Tensor:
        spectrum = torch.fft.fftshift(torch.fft.rfftn(x, dim=(-2, -1), norm="ortho"))
        weight = torch.view_as_complex(self.state[f"{name}.complex_weight"])
        shifted = torch.fft.ifftshift(functional.conv2d(spectrum, weight))
        return torch.fft.irfftn(shifted, s=x.shape[-2:], dim=(-2, -1), norm="ortho")

    def transform(self, x: Tensor, name: str) -> Tensor:
        x = self.separable(x, f"{name}.conv1.0").relu()
        height, width = x.shape[-2] // 2, x.shape[-1] // 2
        part = torch.cat(torch.split(x[:, : x.shape[1] // 4], height, dim=-2)[:2], dim=1)
        part = torch.cat(torch.split(part, width, dim=-1)[:2], dim=1)
        local = self.spectral(part, f"{name}.lfu").repeat(1, 1, 2, 2)
        local = functional.pad(local, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
        return self.separable(x + self.spectral(x, f"{name}.fu") + local, f"{name}.conv2")

    def fourier(self, x: Tensor, name: str) -> Tensor:
        near, far = x[:, : CHANNELS // 2], x[:, CHANNELS // 2 :]
        near_out = self.separable(near, f"{name}.convl2l", True) + self.separable(far, f"{name}.convg2l", True)
        far_out = self.separable(near, f"{name}.convl2g", True) + self.transform(far, f"{name}.convg2g")
        return torch.cat([near_out, far_out], dim=1)


@pytest.mark.parametrize("size", [(12, 14), (13, 11)])
@pytest.mark.parametrize("steps", [1, 2])
def test_against_the_published_formula(tmp_path: Path, size: tuple[int, int], steps: int) -> None:
    state = drawn(steps)
    torch.save({"model": state}, tmp_path / "net.pt")
    network = load_network(tmp_path / "net.pt")
    assert (network.architecture, network.scale, network.channels) == ("F2SRGAN", 2**steps, 3)
    assert network.global_residual is False
    assert any("tiles" in note for note in network.notes)
    published, batch, expected = Published(state), torch.rand(2, 3, *size), {}
    first = x = published.separable(published.convolve(255 * batch, "sub_mean"), "initial.0")
    for n, convolve in enumerate((published.fourier, published.separable)):
        inner = published.activate(convolve(x, f"residual.{n}.block1.0"), f"residual.{n}.block1.1")
        expected[f"residual.{n}"] = x = x + published.separable(inner, f"residual.{n}.block2.0") * 0.1
    x = x + first
    for n in range(0, 3 * steps, 3):
        x = functional.pixel_shuffle(published.separable(x, f"upsampler.{n}"), 2)
        x = published.activate(x, f"upsampler.{n + 2}")
    expected["final_conv:input"] = x
    image = published.convolve(published.separable(x, "final_conv"), "add_mean") / 255
    torch.testing.assert_close(network(batch), image, atol=1e-5, rtol=1e-5)
    captured = capture(network.module, batch, network.layers)
    assert network.last_hr_layer == list(captured)[-1] == "final_conv:input"
    for name, values in captured.items():
        torch.testing.assert_close(values, expected[name], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("initial.0.1.weight", torch.zeros(17, 3, 1, 1)),
        ("residual.1000000000.block1.1.weight", torch.zeros(CHANNELS)),
        ("residual.0.block1.1.quantAct.x_min", torch.zeros(1)),
        ("residual.0.block1.0.convg2g.fu.complex_weight", torch.zeros(4, 4, 1, 1)),
        ("upsampler.0.1.weight", torch.zeros(CHANNELS, CHANNELS, 1, 1)),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, key: str, tensor: Tensor) -> None:
    torch.save(drawn() | {key: tensor}, tmp_path / "net.pth")
    assert "F2SRGAN" in refusal(tmp_path / "net.pth")
