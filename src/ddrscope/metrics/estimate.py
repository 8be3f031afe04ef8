"""A number with its interval: how every uncertain number is held, and the one place where it is formatted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % confidence interval.

    Args:
        value: The number; NaN where it is not available.
        low: Lower end of the interval; NaN where there is no interval, as with too few photographs.
        high: Upper end of the interval; NaN where there is no interval.

    Examples:
        >>> Estimate(0.14, 0.12, 0.16).percent()
        '14 % [12 %, 16 %]'
        >>> Estimate(0.14).percent()
        '14 %'
    """

    value: float
    low: float = NAN
    high: float = NAN

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def is_above(self, other: Estimate) -> bool:
        """Whether the whole interval lies above that of ``other``; False where one of them has none."""
        return self.low > other.high

    def percent(self) -> str:
        """The estimate in percent, as ``14 % [12 %, 16 %]``."""
        return self._format(format_percent)

    def __str__(self) -> str:
        """The estimate with three significant digits, as ``1.93 [1.81, 2.05]``."""
        return self._format(format_number)

    def to_columns(self, name: str) -> dict[str, float]:
        """The columns ``name``, ``name_low`` and ``name_high`` of JSON files and tables."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    @classmethod
    def from_columns(cls, row: Mapping[str, float | None], name: str) -> Estimate:
        """The estimate that `to_columns` wrote; null and missing ends are NaN."""
        value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
        return cls(*(NAN if number is None else float(number) for number in (value, low, high)))

    def _format(self, text: Callable[[float], str]) -> str:
        value = text(self.value)
        return f"{value} [{text(self.low)}, {text(self.high)}]" if self.has_interval else value


def format_number(value: float | None) -> str:
    """Three significant digits, without exponents up to a million; a dash for a number that is not available."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.0e}"


def format_percent(value: float | None) -> str:
    """A share as percent, with one decimal below 1 %, so that a small share does not read as none."""
    if value is None or math.isnan(value):
        return "not available"
    digits = 0 if abs(value) >= 0.01 else 1
    # Adding zero turns -0.0 into 0.0.
    return f"{round(100 * value, digits) + 0.0:.{digits}f} %"
