"""The first difference between the settings and inputs of two runs, in a few words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ddrscope.errors import RunConflictError, printable

# Characters of a value that are shown.
MAX_SHOWN = 120
_HASH = re.compile("[0-9a-f]{64}")


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], holder: str) -> None:
    """Check that two runs have the same settings and inputs. Only the keys of ``now`` are compared.

    Args:
        before: Settings and inputs of the earlier run.
        now: Settings and inputs of the run that is starting.
        holder: The file or folder of the earlier run, for the message.

    Raises:
        RunConflictError: Names the first difference.
    """
    for key, value in now.items():
        if changed := difference(before.get(key), value, key):
            raise RunConflictError(
                f"{holder} holds a run with {changed}: resume with the same parameters, inputs and weights, "
                "or give `overwrite`=True or another `out`"
            )


def difference(before: Any, now: Any, name: str) -> str | None:
    """The first difference of two JSON values.

    Args:
        before: The earlier value.
        now: The new value.
        name: What the value is called.

    Returns:
        Text such as ``crop = 128, not 64``; None where the values are equal. Networks and files, which are given as
        ``{"name": ..., "sha256": ...}``, are compared by their hash only.
    """
    if before == now:
        return None
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        if {"name", "sha256"} == before.keys() == now.keys():
            # A renamed or moved file is the same input.
            return None if before["sha256"] == now["sha256"] else _unequal(name, _summary(before), _summary(now))
        nested = (difference(before[key], now[key], f"{name}: {_shown(key)}") for key in now if key in before)
        return _only_in_one(name, before, now) or next(filter(None, nested), None)
    if _is_list(before) and _is_list(now):
        if len(before) == len(now):
            pairs = zip(before, now, strict=True)
            nested_items = [difference(old, new, name) for old, new in pairs if isinstance(old, Mapping)]
            if nested_items:
                return next(filter(None, nested_items), None)
        return _only_in_one(name, before, now) or f"{name} in another order or number"
    return _unequal(name, _shown(before), _shown(now))


def _only_in_one(name: str, before: Any, now: Any) -> str | None:
    """The items that only one of two collections has."""
    for items, others, verb in ((before, now, "include"), (now, before, "lack")):
        extra = [item for item in items if item not in others]
        if extra:
            more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
            return f"{name} that {verb} {_shown(extra[0])}{more}"
    return None


def _unequal(name: str, before: str, now: str) -> str:
    return f"{name} = {before}, not {now}"


def _summary(value: Mapping[str, Any]) -> str:
    if {"name", "sha256"} <= value.keys():
        return f"{_shown(value['name'])} ({_shown(value['sha256'])})"
    return f"{len(value)} entries"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return _summary(value)
    text = printable(str(value))
    if _HASH.fullmatch(text):
        return f"SHA-256 {text[:12]}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
