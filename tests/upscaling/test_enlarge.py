"""Enlarging images in memory: tiles, scales, windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet, load_network
from ddrscope.upscaling import enlarge
from ddrscope.upscaling.tiling import OVERLAP

sides = st.integers(9, 120)


def plain() -> Network:
    torch.manual_seed(0)
    return Network("plain", SRResNet(channels=8, blocks=3), 4, 3, "SRResNet", minimum_size=1)


def guided() -> Network:
    torch.manual_seed(0)
    guide = load_network("srgan-wgr").module
    assert isinstance(guide, SRResNet)
    module = GuidedSRResNet(SRResNet(channels=8, blocks=3), DegradationGuide.cut_from(guide, 4))
    nn.init.normal_(module.modulate.weight, std=0.1)
    return Network("guided", module, 4, 3, "GuidedSRResNet", minimum_size=2)


NETWORKS = {"plain": plain(), "guided": guided()}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return read_image(find_images([bundled_photos()])[0]).pixels


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@settings(deadline=None, max_examples=12)
@given(height=sides, width=sides, scale=st.sampled_from([2, 4]), tile=st.sampled_from([16, 48, 64]))
def test_tiles_equal_the_whole_image(
    name: str, photo: np.ndarray, height: int, width: int, scale: int, tile: int
) -> None:
    pixels = photo[:height, :width]
    whole = enlarge(NETWORKS[name], pixels, scale, bits=16, tile=4096).astype(int)
    tiled = enlarge(NETWORKS[name], pixels, scale, bits=16, tile=tile).astype(int)
    assert whole.shape == (height * scale, width * scale, 3)
    # Of 65535, a thirtieth of a step of 8 bits: rounding.
    assert np.abs(whole - tiled).max() <= 8


@pytest.mark.parametrize("kind", ["plain", "guided"])
def test_the_default_overlap_holds_sixteen_blocks(photo: np.ndarray, kind: str) -> None:
    """And sixteen blocks of a guide; weights so large that far pixels count: eight pixels are not enough."""
    torch.manual_seed(0)
    network = SRResNet(channels=4, blocks=16)
    for block in network.body.modules():
        if isinstance(block, nn.Conv2d):
            block.weight.data.mul_(3)
    guide = load_network("srgan-wgr").module
    assert isinstance(guide, SRResNet)
    module: nn.Module = network
    if kind == "guided":
        module = GuidedSRResNet(network, DegradationGuide.cut_from(guide, 16))
        nn.init.normal_(module.modulate.weight, std=0.1)  # type: ignore[attr-defined, union-attr, arg-type]
    one = Network(kind, module, 4, 3, kind, minimum_size=2)
    pixels = photo[:16, :192]
    whole, tiled, narrow = (
        enlarge(one, pixels, bits=16, tile=tile, overlap=overlap).astype(int)
        for tile, overlap in ((4096, OVERLAP), (64, OVERLAP), (64, 8))
    )
    assert np.abs(whole - tiled).max() <= 8 and np.abs(whole - narrow).max() > 100


def test_windows_of_a_network_lie_as_in_the_whole_image(photo: np.ndarray) -> None:
    class Windows(nn.Module):
        """The mean of each window of 32 pixels."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.interpolate(nn.functional.avg_pool2d(x, 32), scale_factor=32)

    one = Network("windows", Windows(), 1, 3, "Windows", size_multiple=32)
    pixels = photo[:96, :160]
    assert np.array_equal(enlarge(one, pixels, tile=64), enlarge(one, pixels, tile=4096))


def test_tiles_without_overlap_leave_seams(photo: np.ndarray) -> None:
    """The test above could fail."""
    whole, tiled = (
        enlarge(NETWORKS["plain"], photo[:96, :96], bits=16, tile=tile, overlap=0).astype(int) for tile in (4096, 48)
    )
    assert np.abs(whole - tiled).max() > 1000


def test_an_image_of_one_tile_is_the_output_of_the_network(photo: np.ndarray) -> None:
    with torch.inference_mode():
        expected = (
            NETWORKS["plain"](torch.from_numpy(photo[:40, :56]).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
        )
    assert np.array_equal(
        enlarge(NETWORKS["plain"], photo[:40, :56]), np.rint(expected.clip(0, 1) * 255).astype(np.uint8)
    )


@pytest.mark.parametrize("scale", [3, 8])
def test_a_scale_that_does_not_divide_the_networks_is_refused(photo: np.ndarray, scale: int) -> None:
    with pytest.raises(InputError, match=f"`scale`={scale}.*1, 2, 4"):
        enlarge(NETWORKS["plain"], photo, scale)
