"""The later rules of the experiment on published networks, and its intervention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddrscope.analysis.input_rows import InputRow, InputRows
from ddrscope.metrics.estimate import Estimate
from experiments.published_networks.later_rules import (
    CLASSIFIERS,
    DOZEN,
    HIDDEN,
    NOT_FALLING,
    OTHERS,
    SAME_NOISE_BESIDE,
    SHOWN_BESIDE,
    SUPER_RESOLUTION,
    ClassShares,
    classes_or_degradations,
    image_hides_degradation,
    most_show_it,
    noise_hides_degradation,
)
from experiments.published_networks.run import read_catalog
from experiments.published_networks.same_noise import with_one_pattern
from experiments.published_networks.silenced import SUMMANDS, subtract


def near(value: float) -> Estimate:
    return Estimate(value, value - 0.02, value + 0.02)


def test_the_networks_of_the_rules_are_in_the_catalogue() -> None:
    known = {entry["name"] for entry in read_catalog()}
    assert len(set(DOZEN)) == 12
    assert {*DOZEN, *HIDDEN, *NOT_FALLING, *OTHERS, *SUPER_RESOLUTION, *SHOWN_BESIDE} <= known
    assert set(SAME_NOISE_BESIDE) <= known
    assert set(SUMMANDS) == {*HIDDEN, *NOT_FALLING, *OTHERS}


def test_classifiers_by_class_and_others_by_degradation() -> None:
    names = (*CLASSIFIERS, *SUPER_RESOLUTION)
    pixels = dict.fromkeys(names, ClassShares(near(0.05), near(0.05)))
    shares = dict.fromkeys(CLASSIFIERS, ClassShares(near(0.1), near(0.4))) | dict.fromkeys(
        SUPER_RESOLUTION, ClassShares(near(0.4), near(0.1))
    )
    assert all(case.holds for case in classes_or_degradations(shares, pixels))
    # Not more than the pixels show, or not more than the other share.
    much = dict.fromkeys(names, ClassShares(near(0.4), near(0.4)))
    assert not any(case.holds for case in classes_or_degradations(shares, much))
    swapped = {name: ClassShares(each.of_class, each.degradation) for name, each in shares.items()}
    assert not any(case.holds for case in classes_or_degradations(swapped, pixels))


@pytest.mark.parametrize(
    ("shown", "expected"), [(6, "holds"), (5, "not decided"), (3, "not decided"), (2, "does not hold")]
)
def test_most_networks(shown: int, expected: str) -> None:
    assert most_show_it([True] * shown + [False] * (8 - shown)) == expected


def test_the_predictions_of_the_hypothesis() -> None:
    as_predicted = dict.fromkeys(HIDDEN, (near(0.01), near(0.3))) | dict.fromkeys(NOT_FALLING, (near(0.5), near(0.51)))
    assert all(case.holds for case in image_hides_degradation(as_predicted))
    assert [case.holds for case in noise_hides_degradation(as_predicted)] == [True] * len(HIDDEN)
    otherwise = dict.fromkeys(HIDDEN, (near(0.01), near(0.09))) | dict.fromkeys(NOT_FALLING, (near(0.5), near(0.4)))
    assert not any(case.holds for case in image_hides_degradation(otherwise))


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.block, self.last = (nn.Conv2d(channels, 4, 3, padding=1) for channels in (3, 4, 4))
        self.active = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        first = self.active(self.first(x))
        output: Tensor = self.last(self.block(first) + first)
        return output


def test_what_remains_is_what_the_blocks_make() -> None:
    torch.manual_seed(0)
    module, batch = Sum().eval(), torch.rand(2, 3, 6, 6)
    expected = module.last(module.block(module.first(batch).relu()))
    subtract(module, "first", torch.relu, "last")
    torch.testing.assert_close(module(batch), expected)
    torch.testing.assert_close(module(batch[:1]), expected[:1])


def test_one_pattern_of_noise() -> None:
    random = np.random.default_rng(0)
    clean = {name: random.uniform(0.4, 0.6, size=(16, 16, 3)).astype(np.float32) for name in ("a", "b")}
    rows = [InputRow(name, name, "clean", "clean", 0, None, pixels) for name, pixels in clean.items()]
    rows += [InputRow(name, name, "noise:20", "noise", 20, 0, random.random((16, 16, 3))) for name in clean]
    changed = with_one_pattern(InputRows(rows)).rows
    patterns = [row.pixels - clean[row.image] for row in changed[2:]]
    # The same but for steps of 8 bits.
    assert np.abs(patterns[0] - patterns[1]).max() <= 1 / 255 + 1e-6
    assert patterns[0].std() == pytest.approx(20 / 255, rel=0.05)
    assert [row.pixels is each.pixels for row, each in zip(changed, rows, strict=True)] == [True, True, False, False]
