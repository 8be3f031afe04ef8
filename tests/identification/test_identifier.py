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


def synthetic(images: int, seed: int = 0, tiles: int = 3) -> dict[str, np.ndarray]:
    """Synthetic descriptors of tiles: a direction for each type, as long as its level, plus noise. Some images have two types."""
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
        "unseen": directions[3],
    }


@pytest.fixture(scope="module")
def fitted() -> DistortionIdentifier:
    known = synthetic(600)
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    return identifier.fit(known["descriptors"], known["levels"], known["images"], known["photos"])


def test_types_levels_and_probabilities_are_predicted(fitted: DistortionIdentifier) -> None:
    new = synthetic(300, seed=1)
    predictions = fitted.predict_all(new["descriptors"], new["images"])
    levels = new["levels"][::3]
    present = np.column_stack([levels.sum(1) == 0, levels > 0])
    assert ((predictions.probabilities > 0.5) == present).mean() > 0.97
    assert np.abs(predictions.probabilities.mean(0) - present.mean(0)).max() < 0.08
    where = levels > 0
    low, middle, high = np.moveaxis(predictions.levels[where], -1, 0)
    assert np.corrcoef(middle, levels[where])[0, 1] > 0.9 and (low <= middle).all() and (middle <= high).all()
    assert 0.7 < ((low <= levels[where]) & (levels[where] <= high)).mean() < 0.95


def test_the_expected_share_of_clean_images_shifts_the_probabilities(fitted: DistortionIdentifier) -> None:
    new = synthetic(300, seed=1)
    shares = []
    for expected in (0.05, 0.2, 0.8):
        fitted.clean_share = expected
        shares.append(fitted.predict_proba(new["descriptors"], new["images"])[:, 0].mean())
    fitted.clean_share = 0.2
    assert shares[0] < shares[1] < shares[2]


def test_unseen_distortions_are_novel(fitted: DistortionIdentifier) -> None:
    new = synthetic(300, seed=2)
    known = fitted.predict_all(new["descriptors"], new["images"]).novelty
    assert 0.01 < (known > 0.95).mean() < 0.12
    unseen = fitted.predict_all(new["descriptors"] + 4 * new["unseen"], new["images"]).novelty
    assert unseen_auroc(known, unseen) > 0.95


@pytest.mark.slow
def test_shuffled_labels_give_the_frequencies() -> None:
    known = synthetic(600)
    order = np.random.default_rng(3).permutation(600)
    shuffled = known["levels"][::3][order][known["images"]]
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    identifier.fit(known["descriptors"], shuffled, known["images"], known["photos"])
    new = synthetic(300, seed=1)
    levels = new["levels"][::3]
    probabilities = identifier.predict_proba(new["descriptors"], new["images"])[:, 1:]
    assert np.abs(probabilities - (levels > 0).mean(0)).mean() < 0.12


def test_a_prediction_does_not_depend_on_the_other_images(fitted: DistortionIdentifier) -> None:
    new = synthetic(40, seed=4)
    together = fitted.predict_all(new["descriptors"], new["images"])
    for image in (0, 17, 39):
        rows = new["images"] == image
        alone = fitted.predict_all(new["descriptors"][rows], new["images"][rows])
        assert np.allclose(alone.probabilities[0], together.probabilities[image], atol=1e-5)
        assert np.allclose(alone.levels[0], together.levels[image], atol=1e-4)
        assert np.allclose(alone.novelty[0], together.novelty[image], atol=1e-4)


def test_too_few_photographs_and_descriptors_of_another_length_are_refused(fitted: DistortionIdentifier) -> None:
    known = synthetic(60)
    with pytest.raises(InputError, match="too few to hold out"):
        DistortionIdentifier(TYPES).fit(known["descriptors"], known["levels"], known["images"], known["photos"] % 2)
    with pytest.raises(InputError, match="do not fit"):
        fitted.predict_all(np.zeros((2, 7)))


def test_an_identifier_is_loaded_from_its_file(small_identifier: Path, tmp_path: Path) -> None:
    identifier = load_identifier(small_identifier, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    finding = identifier.identify(parse_degradation("noise:25").apply(pixels))
    assert finding.group == "noise" and 1 <= finding.level.low <= finding.level.value <= finding.level.high <= 5
    assert tuple(finding.probabilities) == identifier.names
    with pytest.raises(InputError, match="at least 16"):
        identifier.identify(pixels[:5, :5])
    other = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(InputError, match="holds no identifier"):
        load_identifier(other)
    other.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        load_identifier(other)


def test_a_type_of_a_single_photograph_is_left_out_with_it() -> None:
    def sample(photo: str, levels: dict[str, int]) -> LabelledImage:
        return LabelledImage(photo, levels, "", lambda: pytest.fail("no pixels are needed"))

    labelled = [sample(photo, {"one": level}) for photo in "abcd" for level in (1, 3, 5)] + [
        sample("e", {"two": level}) for level in (2, 4)
    ]
    levels = np.zeros((len(labelled), 2, 3))
    for row, image in enumerate(labelled):
        levels[row] = next(iter(image.levels.values()))
    probabilities = np.array([[0.1, "one" in image.levels, "two" in image.levels] for image in labelled], dtype=float)
    measures = Evaluation(
        labelled, Predictions(probabilities, levels, np.zeros(len(labelled))), {"one": "blur", "two": "noise"}
    ).measures()
    spearman = measures["level_spearman"]
    assert (spearman.value, spearman.low, spearman.high) == (1, 1, 1)


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    random = np.random.default_rng(0)
    photos, values = np.repeat(list("abcdefgh"), 5), random.normal(size=40)

    def mean(chosen: np.ndarray) -> float:
        return float(values[chosen].mean())

    estimate = sample_estimate(mean, photos, np.ones(40, bool))
    low, high = student_t.interval(0.95, 7, values.mean(), sem(values.reshape(8, 5).mean(1)))
    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))
    assert (estimate.n, estimate.photos) == (40, 8)
    # Two photographs give no interval.
    assert np.isnan(sample_estimate(mean, photos, np.isin(photos, ["a", "b"])).low)


def test_the_map_shows_the_distorted_half(small_identifier: Path) -> None:
    identifier = load_identifier(small_identifier, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    wide = np.concatenate([pixels, parse_degradation("noise:30").apply(pixels)], axis=1)
    noise = identifier.map_distortions(wide).group_likelihoods()["noise"]
    assert noise.shape == wide.shape[:2] and 0 <= noise.min() <= noise.max() <= 1
    assert noise[:, 320:].mean() > noise[:, :192].mean() + 0.3


@pytest.mark.parametrize("height, width", [(150, 256), (200, 203), (40, 300)])
def test_the_map_reaches_every_border(small_identifier: Path, height: int, width: int) -> None:
    identifier = load_identifier(small_identifier, precision="float32")
    pixels = parse_degradation("noise:30").apply(np.full((height, width, 3), 0.5, np.float32))
    maps = identifier.map_distortions(pixels).group_likelihoods()
    assert (np.stack(list(maps.values())).max(axis=0) > 0).all()


# Distortions that the identifier finds in most photographs; experiments/identification has the accuracies.
STRONG = {
    "noise:18": "noise",
    "impulse:2": "noise",
    "jpeg:7": "compression",
    "jitter:1.25": "spatial",
    "sharpen:6": "sharpness_contrast",
}


def test_an_incomplete_identifier_is_refused(tmp_path: Path) -> None:
    with safe_open(bundled_identifier("ddr"), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys() if key != "bases.0"}  # noqa: SIM118  (no mapping)
        metadata = file.metadata()
    save_file(tensors, tmp_path / "x.safetensors", metadata)
    with pytest.raises(InputError, match=r"incomplete.*bases\.0"):
        load_identifier(tmp_path / "x.safetensors")


@pytest.mark.slow
def test_the_bundled_identifier_finds_strong_distortions() -> None:
    identifier = load_identifier(precision="float32", descriptor="ddr")
    assert len(identifier.names) == 25 and set(identifier.groups.values()) == {
        distortion.group for distortion in DISTORTIONS
    }
    bundled = {file.photo for file in find_images([bundled_photos()])}
    assert not bundled & set(identifier.about["photographs"])
    hits = []
    for name in ("camera__1", "coffee__1", "stream__1", "astronaut__2"):
        pixels = read_image(bundled_photos() / f"{name}.png").pixels[:160, :160]
        for text, group in STRONG.items():
            finding = identifier.identify(parse_degradation(text).apply(pixels), tiles=1)
            hits.append(finding.group == group)
            assert 0 <= finding.novelty <= 1 and finding.probability == max(finding.probabilities.values())
    assert np.mean(hits) >= 0.7
