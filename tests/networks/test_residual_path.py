from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks import load_network
from ddrscope.networks.residual_path import measure_residual_path

Enlarge = Callable[[Tensor], Tensor]


def interpolate(mode: str, align_corners: bool | None = None) -> Enlarge:
    return lambda x: functional.interpolate(x, scale_factor=2, mode=mode, align_corners=align_corners)


def repeated(x: Tensor) -> Tensor:
    """Each pixel four times, by a pixel shuffle of repeated channels."""
    return functional.pixel_shuffle(torch.repeat_interleave(x, 4, dim=1), 2)


class Toy(nn.Module):
    """Two convolutions, x2, and what is added to their output."""

    def __init__(self, residual: Enlarge | None, gain: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.shift = nn.Conv2d(3, 3, 1)
        self.residual, self.gain = residual, gain

    def forward(self, x: Tensor) -> Tensor:
        output = functional.pixel_shuffle(self.tail(self.head(x).relu()), 2)
        if self.residual:
            output = output + self.gain * self.residual(x)
        return output + 0.4


class Learned(Toy):
    def __init__(self) -> None:
        super().__init__(None)
        self.skip = nn.Conv2d(3, 12, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + functional.pixel_shuffle(self.skip(x), 2)


class TwoOutputs(Toy):
    """Two output convolutions are added."""

    def __init__(self) -> None:
        super().__init__(interpolate("bicubic", False))
        self.other = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + functional.pixel_shuffle(self.other(self.head(x).relu() ** 2), 2)


class TwoWays(Toy):
    """Features reach the image without a convolution too."""

    def forward(self, x: Tensor) -> Tensor:
        features = self.head(x).relu().sigmoid()[:, :3]
        return super().forward(x) + functional.interpolate(features**3, scale_factor=2)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Toy(None), None),
        (Toy(interpolate("nearest")), "nearest"),
        (Toy(repeated), "nearest"),
        (Toy(interpolate("bilinear", False)), "bilinear"),
        (Toy(interpolate("bilinear", True)), "bilinear"),
        (Toy(interpolate("bicubic", False)), "bicubic"),
        (Toy(interpolate("bilinear", False), gain=0.5), "bilinear"),
        (Learned(), "learned"),
        (TwoOutputs(), "bicubic"),
    ],
)
def test_what_is_added_to_the_output(module: Toy, expected: str | None) -> None:
    before = module.eval()(torch.full((1, 3, 8, 8), 0.3))
    path = measure_residual_path(module, 3, 2)
    assert path.decided and path.interpolation == expected
    assert torch.equal(module(torch.full((1, 3, 8, 8), 0.3)), before)


def test_another_pixel_range_changes_nothing() -> None:
    module = Toy(interpolate("bicubic", False)).eval()
    path = measure_residual_path(module, 3, 2, lambda batch: module(255 * batch) / 255)
    assert path.interpolation == "bicubic"


def test_features_that_reach_the_output_otherwise_leave_it_open() -> None:
    path = measure_residual_path(TwoWays(None).eval(), 3, 2)
    assert not path.decided and path.interpolation is None


def test_a_network_of_scale_1_adds_the_input_itself() -> None:
    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.tail = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return x - self.tail(self.head(x).relu())

    assert measure_residual_path(Denoiser().eval(), 1, 1).interpolation == "identity"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "residual"), [("srresnet-wgr", True), ("srresnet-wogr", False), ("blind-ddr", True)])
def test_the_bundled_networks(name: str, residual: bool) -> None:
    network = load_network(name)
    path = measure_residual_path(network.module, 3, 4, network)
    assert path.interpolation == ("bilinear" if residual else None)


def test_a_function_of_the_users_is_measured_at_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "withresidual.py").write_text(
        "from torch import nn\n"
        "from torch.nn import functional\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)\n"
        "    def forward(self, x):\n"
        "        y = functional.pixel_shuffle(self.tail(self.head(x).relu()), 2)\n"
        "        return y + functional.interpolate(x, scale_factor=2, mode='bicubic')\n"
    )
    network = load_network("withresidual:Net")
    assert (network.global_residual, network.residual_interpolation) == (True, "bicubic")
    assert network.global_residual_source == "measured" and network.last_hr_layer == "tail:input"
    assert any("bicubic enlargement" in note for note in network.notes)
