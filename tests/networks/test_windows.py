"""Networks with attention in windows, and U-shaped ones, make in tiles what they make of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from commands import call_command
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.networks import Network, load_network
from ddrscope.networks.windows import tile_multiple
from ddrscope.upscaling import enlarge


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return read_image(find_images([bundled_photos()])[0]).pixels[:120, :136]


def swinir() -> nn.Module:
    from spandrel.architectures.SwinIR import SwinIR

    return SwinIR(
        img_size=24, window_size=12, embed_dim=12, depths=[2], num_heads=[2], mlp_ratio=2, upscale=2, upsampler="pixelshuffledirect",
        resi_connection="1conv",
    )  # fmt: skip


def hat() -> nn.Module:
    from spandrel.architectures.HAT import HAT

    return HAT(
        img_size=16, window_size=16, embed_dim=12, depths=[2], num_heads=[2], mlp_ratio=2, upscale=2, upsampler="pixelshuffle",
        compress_ratio=3, squeeze_factor=6, overlap_ratio=0.5,
    )  # fmt: skip


def scunet() -> nn.Module:
    from spandrel.architectures.SCUNet import SCUNet

    return SCUNet(config=[1, 1, 1, 1, 1, 1, 1], dim=64)


def saved(module: nn.Module, path: Path) -> Network:
    """The network through a file, its weights of attention so large that windows count as much as in trained ones."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1 / parameter[0].numel() ** 0.5)
    torch.save(module.state_dict(), path)
    return load_network(path)


@pytest.mark.slow
@pytest.mark.parametrize("make, window", [(swinir, 12), (hat, 16)])
def test_transformers_in_tiles(tmp_path: Path, photo: np.ndarray, make, window: int) -> None:
    network = saved(make(), tmp_path / "net.pth")
    whole, tiled = (enlarge(network, photo, tile=tile, overlap=40).astype(int) for tile in (256, 64))
    assert whole.std() > 10
    assert np.abs(whole - tiled).max() <= 2
    assert network.tile_multiple % window == 0


def test_the_multiple_of_windows_on_a_coarser_grid() -> None:
    """SCUNet's windows of 8 lie on grids of 1, 2, 4 and 8 pixels; the network itself pads to 64."""
    module = scunet().eval()
    assert tile_multiple(module, module, 3) == 64


class Windows(nn.Module):
    """Subtracts from each window its mean; names its size as ``name``."""

    def __init__(self, size: int, name: str) -> None:
        super().__init__()
        setattr(self, name, size)
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = nn.functional.avg_pool2d(x, self.size, ceil_mode=True)
        return 0.5 + x - nn.functional.interpolate(means, scale_factor=self.size)[..., : x.shape[2], : x.shape[3]]


class UShaped(nn.Module):
    """Windows of 12 pixels on a grid four times coarser."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(2))
        self.body = Windows(12, "win_size")
        self.up = nn.Upsample(scale_factor=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.body(self.down(x)))


@pytest.mark.parametrize(
    "module, multiple",
    [
        (Windows(12, "window_size"), 12),
        (Windows(24, "win_size"), 24),
        (UShaped(), 48),
        (nn.Conv2d(3, 3, 3, padding=1), 1),
    ],
)
def test_networks_of_ones_own(photo: np.ndarray, module: nn.Module, multiple: int) -> None:
    network = Network("mine", module.eval(), 1, 3, "Mine")
    pixels = photo[:96, :120]
    whole, tiled = (enlarge(network, pixels, tile=tile, overlap=8).astype(int) for tile in (256, 40))
    assert np.abs(whole - tiled).max() <= 1
    assert network.tile_multiple == multiple


def test_a_network_that_does_not_take_the_trial_image_goes_by_its_names() -> None:
    class Fussy(Windows):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("not so")

    assert Network("fussy", Fussy(20, "window_size"), 1, 3, "Fussy").tile_multiple == 20


def test_a_network_whose_attention_spans_the_image_says_so(tmp_path: Path) -> None:
    """Its tiles cannot equal the whole, so `upscale` must not be silent."""
    from spandrel.architectures.OmniSR import OmniSR

    module = OmniSR(num_feat=16, res_num=1, block_num=1, up_scale=2, window_size=8, pe=True, bias=True)
    torch.save(module.state_dict(), tmp_path / "omni.pth")
    Image.new("RGB", (24, 16), "gray").save(tmp_path / "a.png")
    network, out = tmp_path / "omni.pth", tmp_path / "out"
    done = call_command("upscale", tmp_path / "a.png", "--network", network, "--no-identify", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "tile as large as the image" in done.stderr
