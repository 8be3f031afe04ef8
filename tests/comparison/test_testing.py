"""Permutation tests of two sets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ddrscope.comparison import testing
from ddrscope.comparison.testing import differences
from ddrscope.results.comparison import AXES, MeasuredImages


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "PERMUTATIONS", 199)


def images(values: np.ndarray, per_photo: int = 1) -> MeasuredImages:
    names = tuple(f"{index}.png" for index in range(len(values)))
    return MeasuredImages(names, tuple(str(index // per_photo) for index in range(len(values))), values)


def drawn(count: int, seed: int, shift: tuple[float, ...] = (0, 0, 0, 0)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, len(AXES))) + np.array(shift)


def test_false_alarms_of_all_axes_together_are_five_percent() -> None:
    small = [
        min(each.p_value for each in differences(images(drawn(12, 2 * k)), images(drawn(15, 2 * k + 1)), k))
        for k in range(200)
    ]
    assert 0.015 < np.mean(np.array(small) < 0.05) < 0.10


def test_a_difference_has_its_size_interval_and_direction() -> None:
    found = differences(images(drawn(60, 0)), images(drawn(50, 1, (1.5, 0, 0, 0))))
    blur, *others = found
    assert blur.differs and blur.p_value == pytest.approx(1 / 200)
    assert blur.difference.low < 1.5 < blur.difference.high and "blur +" in str(blur)
    assert not any(each.differs for each in others) and "no difference found" in str(others[0])


def test_a_slight_difference_does_not_count_however_sure_it_is() -> None:
    first, second = drawn(400, 0) / 100, drawn(400, 1) / 100 + 0.1
    found = differences(images(first), images(second))
    assert found[0].p_value < 0.05 and not found[0].differs


def test_images_of_a_photograph_count_once() -> None:
    # Ten images of each of two photographs: one pair of photographs is no evidence, however many images there are.
    values = np.repeat(drawn(4, 0, (9, 0, 0, 0)), 10, axis=0)
    found = differences(images(values[:20], 10), images(values[20:] + 50, 10))
    assert found[0].p_value > 0.05


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 4), (4, 4)])
def test_few_photographs_have_the_p_value_that_they_can_have(first: int, second: int) -> None:
    # All first values are below all second ones: only this partition, and its mirror image if there is one, is as extreme.
    values = drawn(first + second, 5) / 100
    values[first:, 0] += 50
    found = differences(images(values[:first]), images(values[first:]))
    ways = math.comb(first + second, first)
    assert found[0].p_value == pytest.approx((2 if first == second else 1) / ways)


def test_constant_sets_have_no_difference_or_a_sure_one() -> None:
    same, other = images(np.ones((8, len(AXES)))), images(np.full((8, len(AXES)), 9.0))
    assert all(each.p_value == 1 and not each.differs for each in differences(same, same))
    assert all(each.differs and each.difference.value == 8 for each in differences(same, other)[:3])
