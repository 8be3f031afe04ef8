"""The base class of degradations: a family with typed, bounded parameters and a text form."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from operator import index
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from ddrscope.errors import InputError

Stage = Literal["before", "after"]


class Range(NamedTuple):
    """The allowed values of a parameter.

    Attributes:
        low: The smallest value.
        high: The largest value.
        unit: What the value is, for messages and help.
    """

    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} ({self.unit})"


class _Parameter(NamedTuple):
    name: str
    kind: type
    allowed: Range | tuple[str, ...]
    default: Any


@dataclass(frozen=True)
class Degradation(ABC):
    """A degradation of one family at one level.

    A family is a frozen dataclass whose first field is ``level``. Each field is `Annotated` with its `Range`, or a
    `Literal` of names. Values out of range raise `InputError`; numbers are rounded to the six digits of the text form.

    Attributes:
        family: Name of the family, with which the text form begins.
        stage: Whether it acts ``before`` or ``after`` shrinking.
        neutral_level: The level that changes nothing (nothing visible, for file formats); None if there is none.
        level: How strong it is, in the unit of the family.
    """

    family: ClassVar[str]
    stage: ClassVar[Stage]
    neutral_level: ClassVar[float | None] = None
    level: float

    @abstractmethod
    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Degrade an image.

        Args:
            pixels: float32 (H, W, C) in 0..1.
            rng: Generator of all random numbers that are needed.

        Returns:
            float32 (H, W, C); values may leave 0..1.
        """

    @property
    def severity(self) -> float:
        """A number that grows with the strength of the degradation within its family."""
        return self.level

    @property
    def text(self) -> str:
        """The canonical text form, as ``blur:4``: numbers in ``%g``, defaults omitted."""
        values = [(getattr(self, p.name), p.default) for p in self._parameters()]
        while values[-1][0] == values[-1][1]:
            values.pop()
        return f"{self.family}:" + ",".join(value if isinstance(value, str) else f"{value:g}" for value, _ in values)

    @classmethod
    def level_range(cls) -> Range:
        """The allowed levels and their unit."""
        allowed = cls._parameters()[0].allowed
        assert isinstance(allowed, Range)
        return allowed

    @classmethod
    def usage(cls) -> str:
        """The text form with names in place of values, as ``resample:LEVEL[,INTERPOLATION]``."""
        first, *others = cls._parameters()
        form = f"{cls.family}:{first.name.upper()}"
        for parameter in others:
            value = f",{parameter.name.upper()}"
            form += value if parameter.default is MISSING else f"[{value}]"
        return form

    @classmethod
    def describe(cls) -> str:
        """The first line of the docstring without its full stop."""
        assert cls.__doc__ is not None
        return cls.__doc__.splitlines()[0].rstrip(".")

    @classmethod
    def parse(cls, values: list[str]) -> Degradation:
        """Build a degradation from the values of its text form. Raises `InputError` naming an invalid value."""
        parameters = cls._parameters()
        required = sum(p.default is MISSING for p in parameters)
        if not required <= len(values) <= len(parameters):
            needs = f"level {cls.level_range()}" if not values else f"got {len(values)} values"
            raise InputError(f"degradation '{cls.family}' is written {cls.usage()}: {needs}")
        return cls(*(cls._value(p, text) for p, text in zip(parameters, values, strict=False)))

    @classmethod
    def _value(cls, parameter: _Parameter, text: str) -> Any:
        if parameter.kind is str:
            return text
        try:
            return parameter.kind(text)
        except ValueError:
            expected = "a whole number" if parameter.kind is int else "a number"
            raise InputError(
                f"{parameter.name} '{text[:80]}' of '{cls.family}' is not {expected}: use {parameter.allowed}"
            ) from None

    @classmethod
    @cache
    def _parameters(cls) -> tuple[_Parameter, ...]:
        hints = get_type_hints(cls, include_extras=True)
        parameters = []
        for field in fields(cls):
            hint, arguments = hints[field.name], get_args(hints[field.name])
            if get_origin(hint) is Literal:
                parameters.append(_Parameter(field.name, str, arguments, field.default))
            elif get_origin(hint) is not Annotated:
                raise TypeError(
                    f"`{field.name}` of {cls.__name__} has no range: "
                    f"write {field.name}: Annotated[float, Range(LOW, HIGH, UNIT)]"
                )
            else:
                parameters.append(_Parameter(field.name, arguments[0], arguments[1], field.default))
        return tuple(parameters)

    def __post_init__(self) -> None:
        for name, kind, allowed, _ in self._parameters():
            value = getattr(self, name)
            if isinstance(allowed, Range):
                if not allowed.low <= value <= allowed.high:
                    # A whole number may have more digits than a float can hold.
                    shown = (
                        "of hundreds of digits" if isinstance(value, int) and abs(value) > 10**300 else f"{value:.10g}"
                    )
                    raise InputError(f"{name} {shown} of '{self.family}' is out of range: use {allowed}")
                # Rounded to the text form, so that the same text gives the same pixels. Adding 0 turns -0 to 0.
                object.__setattr__(self, name, float(f"{value:g}") + 0 if kind is float else index(value))
            elif value not in allowed:
                raise InputError(f"unknown {name} '{value[:80]}' of '{self.family}': {suggestion(value, allowed)}")


def suggestion(name: str, known: Sequence[str]) -> str:
    """The remedy for an unknown name: similar names, else all names."""
    similar = difflib.get_close_matches(name, known, cutoff=0.5)
    return f"did you mean {' or '.join(similar)}?" if similar else f"use one of {', '.join(known)}"
