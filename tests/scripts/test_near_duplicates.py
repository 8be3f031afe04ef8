"""Near-duplicates between splits, and crops inside of larger photographs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from scenes import scene
from scripts.photographs.crops import find_crops
from scripts.photographs.duplicates import distances, near_duplicates, perceptual_hash


def encoded(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(stream)


CHANGES = {
    "JPEG": encoded,
    "larger": lambda image: image.resize((264, 176), Image.Resampling.BICUBIC),
    "smaller": lambda image: image.resize((101, 67), Image.Resampling.LANCZOS),
    "other sides": lambda image: image.resize((250, 155), Image.Resampling.BICUBIC),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": ImageOps.grayscale,
    "mirrored": ImageOps.mirror,
    "turned": lambda image: image.rotate(90, expand=True),
}


def pairs_of(images: list[Image.Image], splits: list[str]) -> list[tuple[int, int, int | None]]:
    found = near_duplicates(np.array([perceptual_hash(image) for image in images]), splits)
    return [(pair.first, pair.second, pair.removed) for pair in found]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_other_scenes(change: str) -> None:
    scenes = [scene(seed) for seed in range(6)]
    images = [*scenes, CHANGES[change](scenes[2])]
    assert pairs_of(images, ["train"] * 6 + ["set14"]) == [(2, 6, 2)]


def test_other_scenes_are_no_near_duplicates() -> None:
    hashes = np.array([perceptual_hash(scene(seed)) for seed in range(40)])
    between = distances(hashes)
    np.testing.assert_array_equal(between, between.T)
    assert not between.diagonal().any()
    # Far from the 10 bits of a near-duplicate.
    assert between[np.triu_indices(40, 1)].min() >= 14


@pytest.mark.parametrize(
    ("splits", "removed"),
    [
        (("train", "val"), 0),
        (("train", "set5"), 0),
        (("bsd100", "train_b"), 1),
        (("bundled", "test"), None),
        (("bundled", "gallery"), 1),
        (("set5", "set14"), None),
        (("snapshots", "train"), 0),
    ],
)
def test_what_is_fitted_to_leaves_and_what_is_measured_on_stays(splits: tuple[str, str], removed: int | None) -> None:
    assert pairs_of([scene(1), encoded(scene(1))], list(splits)) == [(0, 1, removed)]


def test_two_of_one_split_are_left_alone() -> None:
    assert pairs_of([scene(1), encoded(scene(1))], ["train", "train"]) == []


def test_a_crop_is_found_in_the_photograph_it_was_cut_from_and_in_no_other(tmp_path: Path) -> None:
    large = scene(3, (480, 320))
    large.crop((150, 40, 310, 200)).save(tmp_path / "crop.png")
    scene(4, (160, 160)).save(tmp_path / "other crop.png")
    encoded(large.resize((336, 224), Image.Resampling.LANCZOS)).save(tmp_path / "within.png")
    scene(5, (480, 320)).save(tmp_path / "without.png")
    crops = [tmp_path / "crop.png", tmp_path / "other crop.png"]
    (match,) = find_crops(crops, [tmp_path / "within.png", tmp_path / "without.png"])
    assert (match.crop, match.image) == (tmp_path / "crop.png", tmp_path / "within.png")
    assert match.side == pytest.approx(160 * 0.7, rel=0.05)
