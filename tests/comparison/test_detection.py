"""The sequential test: its rate of false alarms, its delay, and that it can be continued."""

from __future__ import annotations

import numpy as np
import pytest

from ddrscope.comparison.detection import detect
from ddrscope.results.comparison import AXES

COUNT = len(AXES)


def values(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    # Skewed and with ties: the rate of false alarms holds for any distribution.
    drawn = np.random.default_rng(seed).exponential(1.0, (count, COUNT))
    drawn[:, 0] += shift
    return np.round(drawn, 1)


def test_false_alarms_are_as_rare_as_is_stated() -> None:
    threshold, streams, length = 200, 60, 200
    alarms = [
        detect(values(40, 2 * seed), values(length, 2 * seed + 1), threshold, seed).alarm for seed in range(streams)
    ]
    rate = sum(alarm is not None for alarm in alarms) / (streams * length)
    # At most one in 200 images; the sum of the evidence is that exactly, so a tenth of it would not be right either.
    assert 0.0001 < rate < 1 / threshold


@pytest.mark.parametrize("shift", [2.0, -0.9])
def test_a_change_is_found_soon_with_its_axis_direction_and_onset(shift: float) -> None:
    stream = np.concatenate([values(50, 1), values(50, 2, shift)])
    if shift < 0:
        stream[50:, 0] = 0
    alarm = detect(values(60, 0), stream, 1000).alarm
    assert alarm is not None and 50 <= alarm.index < 75
    assert alarm.axis == 0 and alarm.direction == np.sign(shift)
    assert abs(alarm.onset - 50) <= 6


def test_a_longer_stream_begins_with_the_same_evidence() -> None:
    stream = values(80, 3)
    short, long = (detect(values(60, 0), stream[:count], 1e9, 5).evidence for count in (30, 80))
    np.testing.assert_array_equal(short, long[:30])


def test_an_empty_stream_shows_nothing() -> None:
    found = detect(values(20, 0), np.empty((0, COUNT)), 100)
    assert found.alarm is None and len(found.evidence) == 0
