"""Guided networks: the guide's statistics, how they modulate, how a guided network is trained and saved."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ddrscope.degradations import parse_degradation, parse_random_pipeline
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.networks import DegradationGuide, GuidedSRResNet, SRResNet, load_network, reinitialized_copy, save_network
from ddrscope.networks.architectures.guided import CELL, REACH, local_statistics, spread_out
from ddrscope.training import PhotoPairs, Training, make_recipe, parse_changes
from ddrscope.training.guidance import build_guide, build_network, degradation_parameters, without_margin

TINY = [
    "channels=4",
    "blocks=2",
    "batch=2",
    "patch=10",
    "precision=float32",
    "pixel.steps=4",
    "adversarial.steps=0",
    "guide_blocks=2",
]


def image(index: int = 0) -> torch.Tensor:
    """A bundled photograph, shrunk to 64 pixels a side."""
    pixels = parse_degradation("clean").apply(read_image(find_images([bundled_photos()])[index]).pixels, 0, 4)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def guided(blocks: int = 2) -> GuidedSRResNet:
    """A network with a real guide and random steering."""
    torch.manual_seed(0)
    guide = load_network("srgan-wgr").module
    assert isinstance(guide, SRResNet)
    network = GuidedSRResNet(SRResNet(channels=8, blocks=3), DegradationGuide.cut_from(guide, blocks))
    nn.init.normal_(network.modulate.weight, std=0.1)
    return network.eval()


def test_statistics_are_those_of_the_pixels_around() -> None:
    features = torch.randn(1, 2, 64, 72, generator=torch.Generator().manual_seed(0)).exp()
    statistics = local_statistics(features)[0].reshape(6, 2, 8, 9)
    row, column = 4, 3
    around = np.s_[
        (row - REACH) * CELL : (row + REACH + 1) * CELL, (column - REACH) * CELL : (column + REACH + 1) * CELL
    ]
    for channel, plane in enumerate(features[0].numpy().astype(np.float64)):
        ends = np.pad(plane, 1, mode="reflect")
        right, below = plane - ends[1:-1, 2:], plane - ends[2:, 1:-1]
        both = plane - ends[2:, 2:], plane - ends[2:, :-2]
        expected = [plane[around].mean(), math.log(plane[around].std())]
        expected += [math.log(np.sqrt(np.square(part[around]).mean())) for part in (right, below, *both)]
        assert np.allclose(statistics[:, channel, row, column], expected, rtol=1e-4)


def test_the_guide_is_the_beginning_of_the_network_it_is_cut_from() -> None:
    network = load_network("srgan-wgr").module
    assert isinstance(network, SRResNet)
    guide, x = DegradationGuide.cut_from(network, 3), image()
    with torch.inference_mode():
        expected = network.body[:3](network.lrelu(network.conv_first(x)))
        features = guide.body(guide.lrelu(guide.conv_first(x)))
    # Borders are mirrored, so only what does not see them is the same.
    inside = np.s_[..., 7:-7, 7:-7]
    assert torch.allclose(features[inside], expected[inside], atol=1e-5)
    assert not any(parameter.requires_grad for parameter in guide.parameters())


def test_the_guide_gives_the_same_in_bfloat16() -> None:
    network, x = guided(), image()
    with torch.autocast("cpu", torch.bfloat16):
        condition = network.condition(x)
    assert torch.equal(condition, network.condition(x))


def test_before_training_guidance_changes_nothing() -> None:
    network, x = guided(), image()
    nn.init.zeros_(network.modulate.weight)
    with torch.inference_mode():
        assert torch.equal(network(x), network.network(x))


def test_steering_is_local() -> None:
    """In an image whose left half is noisy, each far half is treated as in an image that is so everywhere."""
    network, clean = guided(), image().repeat(1, 1, 1, 3)
    noisy = torch.from_numpy(parse_degradation("noise:25").apply(clean[0].permute(1, 2, 0).numpy())).permute(2, 0, 1)[
        None
    ]
    half = torch.cat([noisy[..., :96], clean[..., 96:]], 3)
    with torch.inference_mode():
        conditions = {name: network.condition(x) for name, x in {"half": half, "noisy": noisy, "clean": clean}.items()}
    assert torch.allclose(conditions["half"][..., :8], conditions["noisy"][..., :8], atol=1e-4)
    assert torch.allclose(conditions["half"][..., 16:], conditions["clean"][..., 16:], atol=1e-4)
    assert (conditions["noisy"] - conditions["clean"]).abs().mean() > 0.1


def test_cells_are_spread_to_every_size() -> None:
    cells = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert spread_out(cells, (20, 29)).shape == (1, 1, 20, 29)
    assert spread_out(cells, (20, 29))[0, 0, 11:13, 11:13].mean() == pytest.approx(5)
    with torch.inference_mode():
        for size in ((2, 2), (3, 40), (8, 8), (17, 9)):
            assert guided()(torch.rand(1, 3, *size)).shape == (1, 3, 4 * size[0], 4 * size[1])


@pytest.mark.parametrize("global_residual", [True, False])
def test_a_saved_network_is_read_back(tmp_path: Path, global_residual: bool) -> None:
    network, x = guided(), image()
    network.network.global_residual = global_residual
    save_network(tmp_path / "guided.safetensors", network, {"global_residual": str(global_residual).lower()})
    loaded = load_network(tmp_path / "guided.safetensors")
    assert loaded.architecture == "GuidedSRResNet" and loaded.global_residual == global_residual and loaded.scale == 4
    assert loaded.layers == ("network.body.0", "network.body.1", "network.body.2", "network.conv_last:input")
    with torch.inference_mode():
        # Weights are kept in float16.
        assert (loaded(x) - network(x)).abs().max() < 0.01
        twin = reinitialized_copy(loaded, 1)
        assert (twin(x) - loaded(x)).abs().mean() > 0.05


def test_an_option_overrules_the_file_and_an_oracle_is_no_network(tmp_path: Path) -> None:
    save_network(tmp_path / "guided.safetensors", guided(), {"global_residual": "true"})
    loaded = load_network(tmp_path / "guided.safetensors", global_residual=False)
    assert loaded.global_residual is False and loaded.global_residual_source == "option"
    save_network(tmp_path / "silent.safetensors", guided(), {})
    assert load_network(tmp_path / "silent.safetensors").global_residual_source == "measured"
    oracle = build_network(make_recipe("pilot", parse_changes([*TINY, "guidance=oracle"])))
    save_network(tmp_path / "oracle.safetensors", oracle, {})
    with pytest.raises(InputError, match="no guide"):
        load_network(tmp_path / "oracle.safetensors")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    network = guided()
    network.embed[0] = nn.Conv2d(5, 64, 1)
    save_network(tmp_path / "odd.safetensors", network, {})
    with pytest.raises(InputError, match="has the weight names of GuidedSRResNet"):
        load_network(tmp_path / "odd.safetensors")


def test_the_truth_as_numbers() -> None:
    texts = ("clean", "blur:2", "aniso_blur:3,1,45", "aniso_blur:3,1,0+noise:5+jpeg:40")
    rows = degradation_parameters([parse_degradation(text) for text in texts])[:, :, 0, 0]
    expected = [[0] * 7, [0.5, 0.5, 0, 0, 0, 0, 0], [0.75, 0.25, 0, 0.5, 0, 0, 0], [0.75, 0.25, 0.5, 0, 0.2, 0.6, 1]]
    assert torch.allclose(rows, torch.tensor(expected), atol=1e-6)
    with pytest.raises(InputError, match="not lens_blur"):
        degradation_parameters([parse_degradation("lens_blur:3")])


def test_a_rotated_patch_is_blurred_along_the_angle_of_its_pipeline() -> None:
    pairs = PhotoPairs(bundled_photos(), 4)
    batch = pairs.patches(0, 0, 48, 24, [parse_random_pipeline("aniso_blur:6,0.3,0")])
    across, along = (batch.small.diff(dim=axis).abs().mean((1, 2, 3)) for axis in (2, 3))
    assert (along < across).float().mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("guidance", ["ddr", "untrained", "oracle"])
def test_training_leaves_the_guide_as_it_was(tmp_path: Path, guidance: str) -> None:
    torch.set_num_threads(1)
    recipe = make_recipe(
        "pilot", parse_changes([*TINY, f"guidance={guidance}", 'degradations=["clean", "blur:0..4", "noise:0..25"]'])
    )
    pairs = PhotoPairs(bundled_photos(), 4)
    validation = PhotoPairs(find_images([bundled_photos()])[0].path, 4)
    training = Training(recipe, pairs, validation, tmp_path / "whole")
    training.run(lambda _: None)
    result = training.pixel.result
    assert isinstance(result, GuidedSRResNet) and result.modulate.weight.abs().max() > 0
    if guidance == "oracle":
        assert result.guide is None
        return
    assert result.guide is not None
    fresh = build_guide(recipe)
    assert all(
        torch.equal(one, other) for one, other in zip(result.guide.parameters(), fresh.parameters(), strict=True)
    )
    small = torch.cat([pairs.patches(step, 1, 8, 10, recipe.distributions()).small for step in range(8)])
    guidance = result.guide(small).permute(1, 0, 2, 3).flatten(1)
    assert guidance.mean(1).abs().median() < 0.3 and 0.7 < guidance.std(1).median() < 1.3
    loaded = load_network(training.pixel.weights)
    with torch.inference_mode():
        assert (loaded(small[:2]) - result.eval()(small[:2])).abs().max() < 0.01


def test_a_guide_must_be_deep_enough() -> None:
    with pytest.raises(InputError, match="SRResNet for RGB of 17 blocks"):
        build_network(make_recipe("pilot", parse_changes(["guidance=ddr", "guide_blocks=17"])))
    with pytest.raises(InputError, match="realesr-animevideov3 is not an SRResNet"):
        build_network(make_recipe("pilot", parse_changes(["guidance=ddr", "guide=realesr-animevideov3"])))


def test_a_guide_is_shown_what_lies_around_a_patch(tmp_path: Path) -> None:
    """The cells of a patch say what they say of the photograph, and the patch is the middle of what the guide is shown."""
    network, pairs = guided(), PhotoPairs(bundled_photos(), 4)
    plain, wide = (pairs.patches(0, 0, 8, 20, [parse_random_pipeline("blur:1..3")], margin) for margin in (0, 16))
    small, cells = without_margin(network, wide.small, 16)
    assert wide.small.shape[2:] == (52, 52) and (small - plain.small).abs().max() < 1.5 / 255
    assert torch.equal(plain.large, wide.large) and cells.shape[2:] == (3, 3)
    assert torch.equal(cells, network.condition(wide.small)[:, :, 2:5, 2:5])
    assert (cells - network.condition(small)).abs().mean() > 0.01
    (alone,) = without_margin(network, wide.small, 0)
    assert alone is wide.small


def test_margins_are_mirrored_at_borders() -> None:
    around = PhotoPairs(bundled_photos(), 4).patches(0, 0, 1, 64, margin=8).small[0]
    assert torch.equal(around[:, :8], around[:, 9:17].flip(1)) and torch.equal(
        around[:, :, -8:], around[:, :, -17:-9].flip(2)
    )
