from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.stats import sem
from scipy.stats import t as student_t

from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.errors import InputError
from ddrscope.identification import (
    DistortionIdentifier,
    Predictions,
    bundled_identifier,
    load_identifier,
)
from ddrscope.identification.evaluation import Evaluation, sample_estimate, unseen_auroc
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.labelled_images import LabelledImage
from ddrscope.images import bundled_photos, find_images, read_image

QUICK = HeadSettings(width=64, dropout=0.1, epochs=15, batch=32)
TYPES = ("one", "two", "three")


def table(images: int, seed: int = 0, tiles: int = 3) -> dict[str, np.ndarray]:
    """Made descriptors: a direction for each type, as long as its level, in noise; the fourth kind has two types."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(9).normal(size=(20, 4)))[0].T * 1.5
    kind = random.integers(0, 5, images)
    graded = np.zeros((images, 3))
    for row, number in enumerate(kind):
        for index in (0, 2) if number == 4 else (number - 1,) if number else ():
            graded[row, index] = random.integers(1, 6)
    rows = np.repeat(graded @ directions[:3], tiles, axis=0)
    index = np.repeat(np.arange(images), tiles)
    noisy = rows + random.normal(size=rows.shape) * 0.4
    return {
        "descriptors": noisy,
        "levels": graded[index],
        "images": index,
        "photos": index % 8,
        "foreign": directions[3],
    }


@pytest.fixture(scope="module")
def fitted() -> DistortionIdentifier:
    known = table(600)
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    return identifier.fit(known["descriptors"], known["levels"], known["images"], known["photos"])


def test_types_levels_and_probabilities_are_found(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=1)
    found = fitted.predict_all(new["descriptors"], new["images"])
    levels = new["levels"][::3]
    present = np.column_stack([levels.sum(1) == 0, levels > 0])
    assert ((found.probabilities > 0.5) == present).mean() > 0.97
    assert np.abs(found.probabilities.mean(0) - present.mean(0)).max() < 0.08
    where = levels > 0
    low, middle, high = np.moveaxis(found.levels[where], -1, 0)
    assert np.corrcoef(middle, levels[where])[0, 1] > 0.9 and (low <= middle).all() and (middle <= high).all()
    assert 0.7 < ((low <= levels[where]) & (levels[where] <= high)).mean() < 0.95


def test_more_is_called_clean_where_more_is_expected(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=1)
    shares = []
    for expected in (0.05, 0.2, 0.8):
        fitted.clean_share = expected
        shares.append(fitted.predict_proba(new["descriptors"], new["images"])[:, 0].mean())
    fitted.clean_share = 0.2
    assert shares[0] < shares[1] < shares[2]


def test_foreign_images_are_novel(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=2)
    known = fitted.predict_all(new["descriptors"], new["images"]).novelty
    assert 0.01 < (known > 0.95).mean() < 0.12
    foreign = fitted.predict_all(new["descriptors"] + 4 * new["foreign"], new["images"]).novelty
    assert unseen_auroc(known, foreign) > 0.95


@pytest.mark.slow
def test_shuffled_labels_teach_nothing() -> None:
    known = table(600)
    order = np.random.default_rng(3).permutation(600)
    shuffled = known["levels"][::3][order][known["images"]]
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    identifier.fit(known["descriptors"], shuffled, known["images"], known["photos"])
    new = table(300, seed=1)
    levels = new["levels"][::3]
    said = identifier.predict_proba(new["descriptors"], new["images"])[:, 1:]
    assert np.abs(said - (levels > 0).mean(0)).mean() < 0.12


def test_a_image_is_identified_alone_as_among_others(fitted: DistortionIdentifier) -> None:
    new = table(40, seed=4)
    together = fitted.predict_all(new["descriptors"], new["images"])
    for image in (0, 17, 39):
        rows = new["images"] == image
        alone = fitted.predict_all(new["descriptors"][rows], new["images"][rows])
        assert np.allclose(alone.probabilities[0], together.probabilities[image], atol=1e-5)
        assert np.allclose(alone.levels[0], together.levels[image], atol=1e-4)
        assert np.allclose(alone.novelty[0], together.novelty[image], atol=1e-4)


def test_too_few_photographs_and_strange_descriptors_are_refused(fitted: DistortionIdentifier) -> None:
    known = table(60)
    with pytest.raises(InputError, match="too few to hold out"):
        DistortionIdentifier(TYPES).fit(known["descriptors"], known["levels"], known["images"], known["photos"] % 2)
    with pytest.raises(InputError, match="do not fit"):
        fitted.predict_all(np.zeros((2, 7)))


def test_an_identifier_is_read_back(small_identifier: Path, tmp_path: Path) -> None:
    one = load_identifier(small_identifier, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    finding = one.identify(parse_degradation("noise:25").apply(pixels))
    assert finding.group == "noise" and 1 <= finding.level.low <= finding.level.value <= finding.level.high <= 5
    assert tuple(finding.probabilities) == one.names
    with pytest.raises(InputError, match="at least 16"):
        one.identify(pixels[:5, :5])
    foreign = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(InputError, match="holds no identifier"):
        load_identifier(foreign)
    foreign.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        load_identifier(foreign)


def test_a_type_that_one_photograph_shows_is_left_out_with_it() -> None:
    def sample(photo: str, levels: dict[str, int]) -> LabelledImage:
        return LabelledImage(photo, levels, "", lambda: pytest.fail("no pixels are needed"))

    samples = [sample(photo, {"one": level}) for photo in "abcd" for level in (1, 3, 5)] + [
        sample("e", {"two": level}) for level in (2, 4)
    ]
    levels = np.zeros((len(samples), 2, 3))
    for row, made in enumerate(samples):
        levels[row] = next(iter(made.levels.values()))
    probabilities = np.array([[0.1, "one" in made.levels, "two" in made.levels] for made in samples], dtype=float)
    found = Evaluation(
        samples, Predictions(probabilities, levels, np.zeros(len(samples))), {"one": "blur", "two": "noise"}
    ).measures()
    assert (found["level_spearman"].value, found["level_spearman"].low, found["level_spearman"].high) == (1, 1, 1)


def test_an_interval_over_photographs_is_that_of_the_mean() -> None:
    random = np.random.default_rng(0)
    photos, values = np.repeat(list("abcdefgh"), 5), random.normal(size=40)
    found = sample_estimate(lambda chosen: float(values[chosen].mean()), photos, np.ones(40, bool))
    low, high = student_t.interval(0.95, 7, values.mean(), sem(values.reshape(8, 5).mean(1)))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high)) and (found.n, found.photos) == (40, 8)
    # Two photographs bound nothing.
    assert np.isnan(
        sample_estimate(lambda chosen: float(values[chosen].mean()), photos, np.isin(photos, ["a", "b"])).low
    )


def test_the_map_shows_the_damaged_half(small_identifier: Path) -> None:
    one = load_identifier(small_identifier, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    wide = np.concatenate([pixels, parse_degradation("noise:30").apply(pixels)], axis=1)
    noise = one.map_distortions(wide).group_likelihoods()["noise"]
    assert noise.shape == wide.shape[:2] and 0 <= noise.min() <= noise.max() <= 1
    assert noise[:, 320:].mean() > noise[:, :192].mean() + 0.3


@pytest.mark.parametrize("height, width", [(150, 256), (200, 203), (40, 300)])
def test_the_map_reaches_every_border(small_identifier: Path, height: int, width: int) -> None:
    one = load_identifier(small_identifier, precision="float32")
    pixels = parse_degradation("noise:30").apply(np.full((height, width, 3), 0.5, np.float32))
    maps = one.map_distortions(pixels).group_likelihoods()
    assert (np.stack(list(maps.values())).max(axis=0) > 0).all()


# Found on photographs the identifier was not fitted to; the benchmark has the full image (docs/identification.md).
STRONG = {
    "noise:18": "noise",
    "impulse:2": "noise",
    "jpeg:7": "compression",
    "jitter:1.25": "spatial",
    "sharpen:6": "sharpness_contrast",
}


def test_an_incomplete_identifier_is_refused(tmp_path: Path) -> None:
    with safe_open(bundled_identifier(), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys() if key != "bases.0"}  # noqa: SIM118  (no mapping)
        metadata = file.metadata()
    save_file(tensors, tmp_path / "x.safetensors", metadata)
    with pytest.raises(InputError, match=r"incomplete.*bases\.0"):
        load_identifier(tmp_path / "x.safetensors")


@pytest.mark.slow
def test_the_bundled_identifier_names_strong_damage() -> None:
    one = load_identifier(precision="float32")
    assert len(one.names) == 25 and set(one.groups.values()) == {distortion.group for distortion in DISTORTIONS}
    bundled = {file.photo for file in find_images([bundled_photos()])}
    assert not bundled & set(one.about["photographs"])
    right = []
    for name in ("camera__1", "coffee__1", "stream__1", "astronaut__2"):
        pixels = read_image(bundled_photos() / f"{name}.png").pixels[:160, :160]
        for text, group in STRONG.items():
            finding = one.identify(parse_degradation(text).apply(pixels), tiles=1)
            right.append(finding.group == group)
            assert 0 <= finding.novelty <= 1 and finding.probability == max(finding.probabilities.values())
    assert np.mean(right) >= 0.7
