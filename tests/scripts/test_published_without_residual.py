"""The intervention by training of the experiment on published networks, on a small network of the same form."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.metrics.estimate import Estimate
from ddrscope.training import PhotoPairs
from experiments.published_networks.run import read_catalog
from experiments.published_networks.without_residual import NETWORK, fine_tune, share_falls, take_out_residual


class SmallQuickSRNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._use_ito_connection = True
        self.conv_last = nn.Conv2d(3, 48, 3, padding=1)
        self.anchor = nn.Conv2d(3, 48, 1)
        self.clip_output: nn.Module = nn.Hardtanh(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        output = self.conv_last(x) + (self.anchor(x) if self._use_ito_connection else 0)
        return functional.pixel_shuffle(self.clip_output(output), 4)


def test_without_its_residual_the_output_is_what_the_last_convolution_makes() -> None:
    assert NETWORK in {entry["name"] for entry in read_catalog()}
    torch.manual_seed(0)
    module, batch = SmallQuickSRNet(), torch.rand(1, 3, 5, 6)
    expected = functional.pixel_shuffle(module.conv_last(batch).clamp(0, 1), 4)
    take_out_residual(module)
    torch.testing.assert_close(module(batch), expected)
    with pytest.raises(ValueError, match="QuickSRNet"):
        take_out_residual(module)


def test_fine_tuning_reaches_a_network_whose_output_is_clipped_to_black(tmp_path: Path) -> None:
    Image.new("RGB", (112, 112), (128, 128, 128)).save(tmp_path / "grey.png")
    module = SmallQuickSRNet()
    take_out_residual(module)
    with torch.no_grad():
        module.conv_last.bias.fill_(-0.2)
        module.conv_last.weight.zero_()
    losses: list[float] = []
    fine_tune(module, PhotoPairs(tmp_path, 4, 24), 40, lambda _, loss: losses.append(loss))
    assert losses[0] == pytest.approx(0.7, abs=0.01) and losses[-1] < losses[0] - 0.005
    assert not module.training and not any(parameter.requires_grad for parameter in module.parameters())
    assert module(torch.ones(1, 3, 4, 4)).min() >= 0


def test_the_verdict() -> None:
    low, high, near = Estimate(0.2, 0.18, 0.22), Estimate(0.6, 0.58, 0.62), Estimate(0.59, 0.57, 0.61)
    assert share_falls(low, high, learned=True) == "holds"
    assert share_falls(near, high, learned=True) == share_falls(high, low, learned=True) == "does not hold"
    assert share_falls(Estimate(0.4, 0.38, 0.42), high, learned=True) == "not decided"
    assert share_falls(low, high, learned=False) == "not decided"
