from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ddrscope.degradations.distortions import DISTORTIONS, GROUPS, LEVELS, Distortion
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


@pytest.mark.slow
@pytest.mark.parametrize("distortion", DISTORTIONS, ids=[distortion.name for distortion in DISTORTIONS])
def test_every_level_changes_images_more_than_the_one_before(distortion: Distortion, photos: list[np.ndarray]) -> None:
    assert len(distortion.levels) == LEVELS
    directions = len(distortion.levels[0])
    for direction in range(directions):
        steps = [distortion.pipelines(level)[direction] for level in range(1, LEVELS + 1)]
        severities = [pipeline.steps[0].severity for pipeline in steps]
        changes = [np.mean([np.abs(pipeline.apply(photo) - photo).mean() for photo in photos]) for pipeline in steps]
        assert severities == sorted(severities)
        assert np.all(np.diff(changes) > 0) and changes[0] > 1e-4, changes
