"""Conditions on the columns of a row: whether they hold, why in words, and how far a row is from the other answer."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Row = Mapping[str, Any]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
# What is true where a comparison is false.
OPPOSITES = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
THRESHOLDS = ("<", "<=", ">", ">=")
# Of numbers in reasons: few digits, or all; and the largest whole number that is written without an exponent.
DIGITS, ALL_DIGITS, MAX_EXACT = 3, 17, 1e12


class Fact(NamedTuple):
    """What was found about one comparison.

    Attributes:
        comparison: What is true of the row: ``blur_sigma > 1.5``, or the opposite.
        text: The same with the row's value: ``blur_sigma 2.31 > 1.5``.
    """

    comparison: str
    text: str


class Margin(NamedTuple):
    """How far a row is from the other answer.

    Attributes:
        distance: Above 0 where the condition holds, below 0 where it does not; relative to the threshold, so that 0.1
            is a value 10 % away from it (for a threshold of 0: the value itself). Infinite where no threshold decides, and
            where the interval of the value is one value.
        fact: The comparison that decides.
    """

    distance: float
    fact: Fact


@dataclass(frozen=True)
class Column:
    """The value that a row has in a column."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Constant:
    """A number, a text, True or False."""

    value: float | str | bool

    def __str__(self) -> str:
        return repr(self.value) if isinstance(self.value, str) else _shown(self.value, ALL_DIGITS)


Operand = Column | Constant


@dataclass(frozen=True)
class Comparison:
    """Two operands and one of `OPERATORS` between them; false if a column has no value."""

    left: Operand
    operator: str
    right: Operand

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"

    @property
    def operands(self) -> tuple[Operand, Operand]:
        """Both sides."""
        return self.left, self.right

    def holds(self, row: Row) -> bool:
        """Whether the condition holds for a row."""
        left, right = (value_of(operand, row) for operand in self.operands)
        return left is not None and right is not None and OPERATORS[self.operator](left, right)

    def facts(self, row: Row) -> Iterator[Fact]:
        """What makes the condition hold, or not."""
        yield self._fact(row)

    def margin(self, row: Row) -> Margin:
        """How far the row is from the other answer."""
        left, right = (value_of(operand, row) for operand in self.operands)
        holds = self.holds(row)
        if left is None or right is None or self.operator not in THRESHOLDS or self._is_certain(row):
            return Margin(math.inf if holds else -math.inf, self._fact(row))
        threshold = next((value_of(operand, row) for operand in self.operands if isinstance(operand, Constant)), None)
        scale = max(abs(left), abs(right)) if threshold is None else abs(threshold)
        distance = abs(left - right) / (scale or 1.0)
        return Margin(distance if holds else -distance, self._fact(row))

    def _is_certain(self, row: Row) -> bool:
        """Whether the interval of a column is one value, as of an image that is certainly not enlarged."""
        names = [operand.name for operand in self.operands if isinstance(operand, Column)]
        ends = [(row.get(low), row.get(high)) for low, high in map(ends_of, names)]
        return bool(ends) and all(low is not None and low == high for low, high in ends)

    def _fact(self, row: Row) -> Fact:
        unknown = [str(operand) for operand in self.operands if value_of(operand, row) is None]
        if unknown:
            text = f"{' and '.join(unknown)} unknown"
            return Fact(text, text)
        sign = self.operator if self.holds(row) else OPPOSITES[self.operator]
        comparison = f"{self.left} {sign} {self.right}"
        if sign == "==" and any(isinstance(operand, Constant) for operand in self.operands):
            # The value is in the comparison.
            return Fact(comparison, comparison)
        digits = _digits_to_distinguish([value_of(operand, row) for operand in self.operands])
        left, right = (_described(operand, row, digits) for operand in self.operands)
        return Fact(comparison, f"{left} {sign} {right}")


@dataclass(frozen=True)
class Flag:
    """A column of yes and no; false if it has no value."""

    column: Column

    def __str__(self) -> str:
        return self.column.name

    def holds(self, row: Row) -> bool:
        """Whether the condition holds for a row."""
        return bool(value_of(self.column, row))

    def facts(self, row: Row) -> Iterator[Fact]:
        """What makes the condition hold, or not."""
        value = value_of(self.column, row)
        name = self.column.name
        text = f"{name} unknown" if value is None else name if value else f"not {name}"
        yield Fact(text, text)

    def margin(self, row: Row) -> Margin:
        """How far the row is from the other answer: no threshold decides."""
        return Margin(math.inf if self.holds(row) else -math.inf, next(self.facts(row)))


@dataclass(frozen=True)
class Not:
    """Holds if its part does not."""

    part: Condition

    def __str__(self) -> str:
        return f"not ({self.part})"

    def holds(self, row: Row) -> bool:
        """Whether the condition holds for a row."""
        return not self.part.holds(row)

    def facts(self, row: Row) -> Iterator[Fact]:
        """What makes the condition hold, or not."""
        return self.part.facts(row)

    def margin(self, row: Row) -> Margin:
        """How far the row is from the other answer."""
        distance, fact = self.part.margin(row)
        return Margin(-distance, fact)


@dataclass(frozen=True)
class Joined:
    """Holds if all parts do, or, with ``any``, if at least one does."""

    parts: tuple[Condition, ...]
    any: bool

    def __str__(self) -> str:
        return (" or " if self.any else " and ").join(f"({part})" for part in self.parts)

    def holds(self, row: Row) -> bool:
        """Whether the condition holds for a row."""
        return any(part.holds(row) for part in self.parts) if self.any else all(part.holds(row) for part in self.parts)

    def facts(self, row: Row) -> Iterator[Fact]:
        """What makes the condition hold, or not: of the parts, those with the same answer."""
        holds = self.holds(row)
        for part in self.parts:
            if part.holds(row) == holds:
                yield from part.facts(row)

    def margin(self, row: Row) -> Margin:
        """How far the row is from the other answer: the most satisfied part decides an ``or``, the least an ``and``."""
        margins = [part.margin(row) for part in self.parts]
        choose = max if self.any else min
        return choose(margins, key=lambda margin: margin.distance)


Condition = Comparison | Flag | Not | Joined


def comparisons(condition: Condition) -> Iterator[Comparison | Flag]:
    """The comparisons and flags of a condition, in the order in which they are written."""
    if isinstance(condition, Not):
        yield from comparisons(condition.part)
    elif isinstance(condition, Joined):
        for part in condition.parts:
            yield from comparisons(part)
    else:
        yield condition


def columns(condition: Condition) -> tuple[str, ...]:
    """The names of the columns of a condition, each once."""
    found: dict[str, None] = {}
    for part in comparisons(condition):
        operands = (part.column,) if isinstance(part, Flag) else part.operands
        found.update({operand.name: None for operand in operands if isinstance(operand, Column)})
    return tuple(found)


def ends_of(column: str) -> tuple[str, str]:
    """The columns with the ends of a column's interval, which it may have."""
    return f"{column}_low", f"{column}_high"


def value_of(operand: Operand, row: Row) -> Any:
    """The value of an operand in a row; None where a column has none or a number is not a number."""
    if isinstance(operand, Constant):
        return operand.value
    value = row.get(operand.name)
    return None if value != value else value


def _described(operand: Operand, row: Row, digits: int) -> str:
    """A constant, or a column with its value."""
    return str(operand) if isinstance(operand, Constant) else f"{operand} {_shown(value_of(operand, row), digits)}"


def _digits_to_distinguish(values: Sequence[Any]) -> int:
    """How many digits show that values differ: few, but not so few that 1.5004 > 1.5 becomes 1.5 > 1.5."""
    different = len(set(values))
    choices = range(DIGITS, ALL_DIGITS)
    return next(
        (digits for digits in choices if len({_shown(value, digits) for value in values}) == different), ALL_DIGITS
    )


def _shown(value: Any, digits: int) -> str:
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) <= MAX_EXACT:
        return str(int(value))
    return repr(value) if digits >= ALL_DIGITS else f"{value:.{digits}g}"
