from __future__ import annotations

import pytest

from ddrscope.metrics.estimate import Estimate, format_number, format_percent

NAN = float("nan")


@pytest.mark.parametrize(
    "value, text",
    [
        (None, "–"),
        (NAN, "–"),
        (float("inf"), "∞"),
        (0, "0"),
        (0.12345, "0.123"),
        (19635.2, "19,635"),
        (0.0001, "1e-04"),
    ],
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize("value, text", [(0.143, "14 %"), (0.0043, "0.4 %"), (-0.00001, "0.0 %"), (1, "100 %")])
def test_shares_below_one_percent_have_a_decimal(value: float, text: str) -> None:
    assert format_percent(value) == text


def test_an_interval_is_shown_where_there_is_one() -> None:
    assert str(Estimate(1, 0.5, 2)) == "1 [0.5, 2]" and Estimate(0.14, 0.12, 0.16).percent() == "14 % [12 %, 16 %]"
    assert str(Estimate(1)) == "1" and str(Estimate(NAN)) == "–"


def test_above_means_that_the_whole_interval_is() -> None:
    estimate = Estimate(0.5, 0.4, 0.6)
    assert estimate.is_above(Estimate(0.3, 0.2, 0.39)) and not estimate.is_above(Estimate(0.3, 0.2, 0.4))
    assert not estimate.is_above(Estimate(0.1)) and not Estimate(0.9).is_above(estimate)


def test_columns_are_read_as_they_were_written() -> None:
    estimate = Estimate(1.5, 1.0, 2.0)
    assert Estimate.from_columns(estimate.to_columns("chi") | {"other": 3}, "chi") == estimate
    assert not Estimate.from_columns({"chi": 1.5, "chi_low": None}, "chi").has_interval
