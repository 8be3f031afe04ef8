"""The compact identifier: its network, its file, its verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ddrscope
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.identification import ImageIdentifier, load_identifier, save_identifier
from ddrscope.identification.calibration import PresenceCalibration, stretch, stretched, widened, widening
from ddrscope.identification.compact import (
    CompactIdentifier,
    TrunkDescriptor,
    merge_tiles,
    read_descriptors,
    with_undamaged,
)
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.identification.predictions import Predictions
from ddrscope.identification.scales import SCALES, damage_of
from ddrscope.identification.tile_bank import TileBank, write_tile_bank
from ddrscope.identification.tile_loss import presence_loss, tile_loss
from ddrscope.identification.tile_network import BANDS, TONES, WIDE_BINS, TileNetwork, TileNetworkSettings, tones
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.identification import Identification
from ddrscope.results.vocabulary import ESTIMATES, QUESTIONS

TYPES = ("jpeg", "white_noise", "lens_blur")
GROUPS = {"jpeg": "compression", "white_noise": "noise", "lens_blur": "blur"}


@pytest.fixture(scope="module")
def small() -> ImageIdentifier:
    """An identifier of random weights."""
    torch.manual_seed(0)
    network = TileNetwork(len(TYPES), TileNetworkSettings((8, 12), (1, 1), 16)).eval()
    descriptor = TrunkDescriptor(network)
    random = np.random.default_rng(0)
    tiles = random.random((40, 32, 32, 3), dtype=np.float32)
    hidden = torch.from_numpy(random.random((40, 16), dtype=np.float32))
    levels = torch.zeros(40, 3)
    levels[20:, 0] = 2
    photos = np.repeat(np.arange(8), 5).astype(str)
    novelty = NoveltyMeasure().fit(hidden, levels, np.arange(40), photos, 4)
    presence = PresenceCalibration.fit(torch.randn(40, 4), torch.randint(0, 2, (40, 4)).float())
    identifier = CompactIdentifier(
        network, TYPES, presence, torch.tensor(0.3), torch.linspace(0, 0.2, len(ESTIMATES)), novelty
    )
    assert descriptor.describe(tiles).shape[1] == sum(descriptor.widths())
    return ImageIdentifier(descriptor, identifier, GROUPS, {"photographs": []})


def photo(side: int) -> np.ndarray:
    pixels = read_image(next(iter(sorted(bundled_photos().glob("*__1.png"))))).pixels
    return np.ascontiguousarray(pixels[:side, :side])


@pytest.mark.parametrize("side", [16, 17, 100, 130, 256])
def test_images_of_any_size(small: ImageIdentifier, side: int) -> None:
    found = small.identify(photo(side))
    assert set(found.estimates) == set(ESTIMATES) and set(found.answers) == set(QUESTIONS)
    for estimate in found.estimates.values():
        assert estimate.low <= estimate.value <= estimate.high
    assert found.motion_angle is not None and 0 <= found.motion_angle < 180


def test_a_map_has_estimates_of_each_part(small: ImageIdentifier) -> None:
    parts = small.map_distortions(photo(200), stride=64)
    assert set(parts.estimates) == set(ESTIMATES)
    assert all(values.shape == (len(parts.boxes),) for values in parts.estimates.values())


def test_a_file_gives_the_same_identifier(small: ImageIdentifier, tmp_path: Path) -> None:
    loaded = load_identifier(save_identifier(tmp_path / "x.safetensors", small))
    assert isinstance(loaded.descriptor, TrunkDescriptor) and loaded.names == small.names
    first, second = small.identify(photo(200)), loaded.identify(photo(200))
    assert list(second.probabilities.values()) == pytest.approx(list(first.probabilities.values()), abs=5e-3)
    for name in ESTIMATES:
        assert second.estimates[name].value == pytest.approx(first.estimates[name].value, rel=0.02, abs=0.02)


def test_a_file_without_its_weights_is_refused(small: ImageIdentifier, tmp_path: Path) -> None:
    import json

    from safetensors import safe_open
    from safetensors.torch import save_file

    path = save_identifier(tmp_path / "x.safetensors", small)
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    for key in ("trunk.heads.presence.weight", "estimate_stretch", "novelty.known"):
        save_file({name: value for name, value in tensors.items() if name != key}, path, metadata)
        with pytest.raises(InputError, match="incomplete"):
            load_identifier(path)
    settings = json.loads(metadata["settings"]) | {"types": ["jpeg"]}
    save_file(tensors, path, metadata | {"settings": json.dumps(settings)})
    with pytest.raises(InputError, match="types"):
        load_identifier(path)


def test_a_row_does_not_depend_on_its_neighbours(small: ImageIdentifier) -> None:
    tiles = np.random.default_rng(1).random((5, 128, 128, 3), dtype=np.float32)
    together = small.descriptor.describe(tiles)
    alone = np.concatenate([small.descriptor.describe(tile[None]) for tile in tiles])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_tiles_of_photographs_are_the_same_again(tmp_path: Path) -> None:
    files = find_images(sorted(bundled_photos().glob("a*__1.png")))
    for folder in ("a", "b"):
        write_tile_bank(tmp_path / folder, files, 6, seed=3)
    first, second = TileBank.open(tmp_path / "a"), TileBank.open(tmp_path / "b")
    np.testing.assert_array_equal(first.tiles, second.tiles)
    np.testing.assert_array_equal(first.truths, second.truths)
    assert first.tiles.shape == (6 * len(files), 128, 128, 3) and first.tiles.any(axis=(1, 2, 3)).all()
    assert len(first.photo_names) == len(files) and first.levels.shape == (len(first.tiles), len(first.types))


def test_the_loss_ignores_what_is_not_known() -> None:
    torch.manual_seed(0)
    levels = torch.tensor([[0.0, torch.nan, 2.0], [0.0, 0.0, torch.nan]])
    logits = torch.randn(2, 4)
    changed = logits.clone()
    # In the first row the second type, in the second row the third type and clean.
    changed[0, 2] += 3
    changed[1, 3] -= 2
    changed[1, 0] += 2
    assert presence_loss(changed, levels) == pytest.approx(float(presence_loss(logits, levels)))
    changed[0, 1] += 1
    assert presence_loss(changed, levels) != pytest.approx(float(presence_loss(logits, levels)))
    network = TileNetwork(3, TileNetworkSettings((8,), (0,), 8))
    truths = torch.full((2, len(ESTIMATES) + len(QUESTIONS) + 3), torch.nan)
    truths[:, -1] = -1
    total, parts = tile_loss(network(torch.rand(2, 3, 32, 32)), levels, truths)
    assert torch.isfinite(total) and parts["estimates"] == 0


@pytest.mark.parametrize("name", ESTIMATES)
def test_scales_are_inverted(name: str) -> None:
    values = torch.linspace(max(SCALES[name].low, 0), min(SCALES[name].high, 90), 7)
    torch.testing.assert_close(SCALES[name].inverse(SCALES[name].forward(values)), values, rtol=1e-4, atol=1e-4)


def test_widened_intervals_hold_four_of_five_values() -> None:
    torch.manual_seed(0)
    values = torch.randn(4000)
    quantiles = torch.tensor([-0.2, 0.0, 0.2]).expand(4000, 3)
    low, middle, high = widened(quantiles, widening(quantiles, values)).unbind(1)
    assert ((low <= values) & (values <= high)).float().mean() == pytest.approx(0.8, abs=0.01)
    assert (low <= middle).all() and (middle <= high).all()
    # Intervals that are too wide become narrower, but keep their middle.
    narrow = widened(torch.tensor([[-9.0, 0.0, 9.0]]), torch.tensor(-20.0))
    assert narrow.tolist() == [[0, 0, 0]]


def test_stretched_intervals_hold_four_of_five_values_and_stay_narrow_where_they_are_sure() -> None:
    random = torch.Generator().manual_seed(0)
    spread = torch.rand(4000, generator=random) + 0.1
    values = torch.randn(4000, generator=random) * spread
    quantiles = torch.stack([-0.3 * spread, 0 * spread, 0.6 * spread], 1)
    low, middle, high = stretched(quantiles, stretch(quantiles, values)).unbind(1)
    inside = (low <= values) & (values <= high)
    assert inside.float().mean() == pytest.approx(0.8, abs=0.01)
    sure = spread < 0.4
    assert inside[sure].float().mean() == pytest.approx(0.8, abs=0.04)
    assert (middle == quantiles[:, 1]).all()


def found(**changes: object) -> Identification:
    probabilities = {"clean": 0.02, "jpeg": 0.95, "lens_blur": 0.97, "motion_blur": 0.1}
    estimates = {name: Estimate(2.14, 1.7, 2.6) for name in ESTIMATES}
    estimates |= {"jpeg_quality": Estimate(62, 57, 68), "first_jpeg_quality": Estimate(40, 30, 50)}
    whole = Identification(
        "lens_blur", "blur", 0.97, 0.98, Estimate(3, 2, 4), 0.2, False, probabilities, estimates, 30.0,
        {"recompressed": 0.9, "chroma_subsampled": 0.9}, "bicubic",
    )  # fmt: skip
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_verdict_says_what_and_how_much() -> None:
    text = str(found())
    assert text == (
        "out of focus, sigma about 2.1 (1.7 to 2.6) px; "
        "JPEG artifacts, quality about 62 (57 to 68), compressed before at about 40 (30 to 50)"
    )
    assert "probability 0.60" in str(found(probabilities={"clean": 0.1, "lens_blur": 0.6}))
    kinds = {"clean": 0.1, "lens_blur": 0.4, "gaussian_blur": 0.3}
    assert str(found(probability=0.4, group_probability=0.7, probabilities=kinds)).startswith(
        "blurred (probability 0.70), most like out of focus (probability 0.40), sigma about 2.1"
    )
    same = found(type="gaussian_blur", probability=0.4, group_probability=0.7, probabilities=kinds | {"jpeg": 0.8})
    assert str(same).startswith("blurred (probability 0.70), sigma about 2.1 (1.7 to 2.6) px; JPEG artifacts")
    unsure = str(found(probability=0.2, group_probability=0.3, probabilities={"clean": 0.1, "lens_blur": 0.2}))
    assert unsure.startswith("nothing certain, perhaps out of focus (probability 0.20)")
    clean = found(type="clean", group="clean", probability=0.9, probabilities={"clean": 0.9, "jpeg": 0.1})
    assert "nothing found" in str(clean) and "0.90" in str(clean)
    assert "unlike anything known" in str(found(unseen=True))
    assert "level 3.0 of 5" in str(found(estimates={}, answers={}, motion_angle=None, interpolation=None))


def test_tones_show_a_curve_that_was_applied_after_rounding_and_clipping() -> None:
    photo = read_image(bundled_photos() / "coffee__1.png").pixels[:128, :128]
    plain = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None]
    curved = (255 * (plain * 0.6 + 0.3)).round() / 255
    clipped = (plain * 3).clamp(0, 1)
    rows = tones(torch.cat([plain, curved, clipped]))
    assert rows.shape == (3, TONES) and torch.isfinite(rows).all()
    wide, bands, ends = rows.split([3 * WIDE_BINS, 3 * BANDS, 6], 1)
    # Stretched and squeezed histograms have gaps and peaks, which are fast changes of the counts.
    assert bands[1].mean() > bands[0].mean() + 0.1
    assert ends[2].max() > 0.5 > ends[0].max()
    torch.testing.assert_close(wide.square().sum(1), torch.full((3,), 3.0))


def test_types_of_a_group_count_together() -> None:
    groups = ["clean", "blur", "blur", "noise"]
    probabilities = np.array([[0.4, 0.3, 0.25, 0.1], [0.6, 0.3, 0.25, 0.1], [0.1, 0.8, 0.7, 0.9]])
    types, likelihoods = Predictions(probabilities, np.zeros((3, 3, 3)), np.zeros(3)).decide(groups)
    assert types.tolist() == [1, 0, 1]
    np.testing.assert_allclose(likelihoods, [0.55, 0.6, 1.0])


def test_tiles_that_are_surer_count_more(small: ImageIdentifier) -> None:
    assert isinstance(small.identifier, CompactIdentifier)
    tiles = np.random.default_rng(2).random((2, 64, 64, 3), dtype=np.float32)
    outputs, _ = read_descriptors(small.identifier.network, small.descriptor.describe(tiles))
    sure, unsure = torch.tensor([1.0, 1.1, 1.2]), torch.tensor([2.0, 4.0, 6.0])
    outputs = replace(outputs, estimates=torch.stack([sure, unsure])[:, None].expand(2, len(ESTIMATES), 3))
    merged = merge_tiles(outputs, np.zeros(2, int)).estimates[0, 0, 1]
    assert 1.1 < merged < 1.2
    torch.testing.assert_close(merge_tiles(outputs, np.arange(2)).estimates, outputs.estimates)


def test_a_descriptor_beside_an_identifier_is_refused(small: ImageIdentifier, tmp_path: Path) -> None:
    path = save_identifier(tmp_path / "x.safetensors", small)
    with pytest.raises(InputError, match="leave one out"):
        ddrscope.identify(bundled_photos(), identifier=path, descriptor="ddr")


def test_an_unknown_descriptor_is_refused() -> None:
    with pytest.raises(InputError, match="compact or ddr"):
        ddrscope.load_identifier(descriptor="clip")


def test_an_estimate_is_a_mixture_of_an_undamaged_value_and_a_distribution() -> None:
    blur = SCALES["blur_sigma"].forward(torch.tensor([[1.0, 2.0, 3.0]]).double().expand(4, 3))
    damage = torch.tensor([0.95, 0.6, 0.3, 0.05]).double()
    ends = with_undamaged("blur_sigma", blur, damage)
    expected = [[1, 2, 3], [0, 2, 3], [0, 0, 3], [0, 0, 0]]
    torch.testing.assert_close(ends, torch.tensor(expected).double(), rtol=1e-5, atol=1e-5)
    quality = SCALES["jpeg_quality"].forward(torch.tensor([[40.0, 50.0, 60.0]]).double().expand(4, 3))
    expected = [[40, 50, 60], [40, 50, 100], [40, 100, 100], [100, 100, 100]]
    torch.testing.assert_close(with_undamaged("jpeg_quality", quality, damage), torch.tensor(expected).double())
    # A motion has a length only if there was one.
    length = SCALES["motion_length"].forward(torch.tensor([[4.0, 6.0, 9.0]]).double().expand(4, 3))
    assert with_undamaged("motion_length", length, damage)[3].tolist() == pytest.approx([4, 6, 9])


def test_damage_is_what_differs_from_an_undamaged_image() -> None:
    truths = torch.tensor([[0.0, 12.0, 100.0, torch.nan, 1.5, torch.nan, torch.nan]])
    damage = damage_of(truths)[0]
    assert damage[[0, 1, 2, 4]].tolist() == [0, 1, 0, 1] and damage[[3, 5, 6]].isnan().all()


@pytest.mark.slow
def test_the_bundled_identifier_finds_and_measures_strong_damage() -> None:
    identifier = load_identifier()
    bundled = {file.photo for file in find_images([bundled_photos()])}
    assert not bundled & {name.rpartition(".")[0] for name in identifier.about["photographs"]}
    for text, group, name, value in (
        ("noise:20", "noise", "noise_sigma", 20),
        ("jpeg:25", "compression", "jpeg_quality", 25),
        ("blur:3", "blur", "blur_sigma", 3),
    ):
        right, errors = [], []
        for photo_name in ("camera__1", "coffee__1", "stream__1", "chelsea__1"):
            pixels = read_image(bundled_photos() / f"{photo_name}.png").pixels
            result = identifier.identify(parse_degradation(text).apply(pixels))
            right.append(result.group == group)
            errors.append(abs(result.estimates[name].value - value) / value)
        assert np.mean(right) >= 0.75 and np.median(errors) < 0.3, (text, right, errors)
