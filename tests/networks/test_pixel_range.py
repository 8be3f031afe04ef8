from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import ddrscope
from ddrscope.errors import InputError
from ddrscope.networks import load_network, reinitialized_copy
from ddrscope.networks.pixel_range import PixelRanges, measure_pixel_ranges


def enlarge(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Toy(nn.Module):
    """An enlargement that is right in one range of pixels only."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 3, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return enlarge(self.function(x)) + enlarge(self.conv(x))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, ("0..1", "0..1")),
        # Right up to 2 of 255.
        (lambda x: x + 2 * torch.sin(x), ("0..255", "0..255")),
        (lambda x: 2 * x - 1, ("0..1", "-1..1")),
        (lambda x: 255 * x, ("0..1", "0..255")),
        # A network of random weights is right in none.
        (lambda x: 7 * torch.cos(3 * x) - 40, ("0..1", "0..1")),
    ],
)
def test_the_range_in_which_a_module_enlarges(function: Callable[[Tensor], Tensor], expected: tuple[str, str]) -> None:
    assert measure_pixel_ranges(Toy(function).eval(), 3, 2) == PixelRanges(*expected)


def test_a_module_in_another_range_takes_and_gives_0_to_1() -> None:
    network = ddrscope.as_network(Toy(lambda x: 255 * x), "toy")
    batch = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(network(batch), enlarge(batch))
    assert network.scale == 2 and any("output 0..255" in note for note in network.notes)
    # A copy calls its own module.
    assert not torch.allclose(reinitialized_copy(network)(batch), network(batch))


def test_a_stated_range_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = ddrscope.as_network(Toy(lambda x: x), pixel_range="-1..1")
    batch = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network(batch), enlarge(batch))
    assert network.run is not None and not any("Pixel range" in note for note in network.notes)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rangednet.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))\n"
        "    module.pixel_range = '0..255'\n"
        "    return module\n"
    )
    assert load_network("rangednet:build").run is not None
    with pytest.raises(InputError, match=r"choose auto, 0\.\.1"):
        ddrscope.as_network(Toy(lambda x: x), pixel_range="0-255")


def test_a_module_that_keeps_merged_kernels_can_be_copied() -> None:
    module = Toy(lambda x: x)
    module.merged = module.conv.weight * 2
    copy = reinitialized_copy(ddrscope.as_network(module))
    assert torch.equal(copy.module.merged, module.merged)
