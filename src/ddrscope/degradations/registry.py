"""The registry of degradation families by name."""

from __future__ import annotations

from typing import TypeVar

from ddrscope.degradations.base import Degradation, suggestion
from ddrscope.errors import InputError, printable

_FAMILIES: dict[str, type[Degradation]] = {}
_Family = TypeVar("_Family", bound=type[Degradation])


def register(family: _Family) -> _Family:
    """Class decorator that registers a family under its name. Raises `ValueError` if the name is taken."""
    if family.family in _FAMILIES or family.family == "clean":
        raise ValueError(f"a degradation named '{family.family}' is already registered")
    _FAMILIES[family.family] = family
    return family


def list_degradations() -> list[type[Degradation]]:
    """Every registered family, sorted by name."""
    return [_FAMILIES[name] for name in sorted(_FAMILIES)]


def find_family(name: str) -> type[Degradation]:
    """The family of this name. Raises `InputError` with similar names if there is none."""
    if name not in _FAMILIES:
        raise InputError(
            f"unknown degradation '{printable(name[:80])}': {suggestion(name, ['clean', *sorted(_FAMILIES)])}"
        )
    return _FAMILIES[name]
