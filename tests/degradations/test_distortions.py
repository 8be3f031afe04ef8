from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import (
    ALL_DISTORTIONS,
    DISTORTIONS,
    EVERYDAY_DISTORTIONS,
    GROUPS,
    LEVELS,
    Distortion,
)
from ddrscope.images import bundled_photos


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [
        np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        for path in sorted(bundled_photos().glob("*__1.png"))
    ]


def test_the_suite_has_the_shape_of_the_table() -> None:
    assert len(DISTORTIONS) == len({distortion.name for distortion in DISTORTIONS}) == 24
    assert GROUPS == ("blur", "color", "compression", "noise", "brightness", "spatial", "sharpness_contrast")
    assert [sum(d.group == group for d in DISTORTIONS) for group in GROUPS] == [3, 4, 2, 4, 3, 5, 3]


def test_everyday_distortions_have_names_of_their_own_and_known_groups() -> None:
    assert len({distortion.name for distortion in ALL_DISTORTIONS}) == len(DISTORTIONS) + len(EVERYDAY_DISTORTIONS)
    assert {distortion.group for distortion in EVERYDAY_DISTORTIONS} <= set(GROUPS)


@pytest.mark.parametrize("distortion", ALL_DISTORTIONS, ids=[distortion.name for distortion in ALL_DISTORTIONS])
def test_levels_between_the_five(distortion: Distortion) -> None:
    random = np.random.default_rng(0)
    for level in range(1, LEVELS + 1):
        assert distortion.at(level, random) in [str(p) for p in distortion.pipelines(level)]
    (first,), (between,), (last,) = (
        {parse_degradation(distortion.at(level, np.random.default_rng(1))).steps[0].severity} for level in (2, 2.5, 3)
    )
    assert first <= between <= last and first < last


@pytest.mark.slow
@pytest.mark.parametrize("distortion", ALL_DISTORTIONS, ids=[distortion.name for distortion in ALL_DISTORTIONS])
def test_every_level_changes_images_more_than_the_one_before(distortion: Distortion, photos: list[np.ndarray]) -> None:
    assert len(distortion.levels) == LEVELS
    directions = len(distortion.levels[0])
    for direction in range(directions):
        steps = [distortion.pipelines(level)[direction] for level in range(1, LEVELS + 1)]
        severities = [pipeline.steps[0].severity for pipeline in steps]
        changes = [np.mean([np.abs(pipeline.apply(photo) - photo).mean() for photo in photos]) for pipeline in steps]
        assert severities == sorted(severities)
        assert np.all(np.diff(changes) > 0) and changes[0] > 1e-4, changes
