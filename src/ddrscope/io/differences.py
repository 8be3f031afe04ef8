"""How the settings and inputs of two runs differ, in a few words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ddrscope.errors import InputError, printable

LONGEST = 120
_HASH = re.compile("[0-9a-f]{64}")


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], holder: str) -> None:
    """Raise `InputError` where ``holder`` is of a run of the settings ``before``, and ``now`` asks for others; keys of ``now`` count."""
    for key, value in now.items():
        if found := difference(before.get(key), value, key):
            raise InputError(
                f"{holder} holds a run with {found}: resume with the same options, inputs and weights, give --overwrite, or another --out"
            )


def difference(before: Any, now: Any, name: str) -> str | None:
    """The first difference of two JSON values that are called ``name``, as ``crop = 128, not 64``; None where there is none."""
    if before == now:
        return None
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        if {"name", "sha256"} == before.keys() == now.keys():
            # A network or a file: the same wherever it lies and however it is called.
            return None if before["sha256"] == now["sha256"] else _unequal(name, _named(before), _named(now))
        inner = (difference(before[key], now[key], f"{name}: {_shown(key)}") for key in now if key in before)
        return _lacking(name, before, now) or next(filter(None, inner), None)
    if _is_list(before) and _is_list(now):
        if len(before) == len(now):
            pairs = zip(before, now, strict=True)
            found = [difference(one, other, name) for one, other in pairs if isinstance(one, Mapping)]
            if found:
                return next(filter(None, found), None)
        return _lacking(name, before, now) or f"{name} in another order or number"
    return _unequal(name, _shown(before), _shown(now))


def _lacking(name: str, before: Any, now: Any) -> str | None:
    """What only one of two collections holds."""
    for one, other, verb in ((before, now, "include"), (now, before, "lack")):
        alone = [item for item in one if item not in other]
        if alone:
            more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
            return f"{name} that {verb} {_named(alone[0]) if isinstance(alone[0], Mapping) else _shown(alone[0])}{more}"
    return None


def _unequal(name: str, before: str, now: str) -> str:
    return f"{name} = {before}, not {now}"


def _named(one: Mapping[str, Any]) -> str:
    return (
        f"{_shown(one['name'])} ({_shown(one['sha256'])})"
        if {"name", "sha256"} <= one.keys()
        else f"{len(one)} entries"
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return _named(value)
    text = printable(str(value))
    if _HASH.fullmatch(text):
        return f"SHA-256 {text[:12]}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
