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
    threshold, streams, length = 100, 600, 20
    alarms = [
        detect(values(30, 2 * seed), values(length, 2 * seed + 1), threshold, seed).alarm for seed in range(streams)
    ]
    share = np.mean([alarm is not None for alarm in alarms])
    # By the 20th image at most 20 of 100 streams; bets that were too bold by a half would be above it.
    assert 0.01 < share < length / threshold


def test_a_stream_that_keeps_its_order_is_no_stream_of_independent_images() -> None:
    # The documented limit: day and night in turn, as in the reference, raise an alarm though nothing changes.
    day, night = values(200, 0), values(200, 1, 3.0)
    reference = np.concatenate([day[:50], night[:50]])
    turns = np.concatenate([day[50:100], night[50:100], day[100:150], night[100:150]])
    assert detect(reference, turns, 1000).alarm is not None


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
