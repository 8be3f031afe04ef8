"""Messages on weights that no known architecture fits: what they are, what they resemble, how to use them all the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ddrscope.errors import InputError, printable
from ddrscope.networks.checkpoints.conversion import name_in_code
from ddrscope.networks.nearest_architecture import Likeness

HOW_TO = "docs/how-to/unknown-networks.md"
_KEYS, _KEY_LENGTH = 3, 36
# PyTorch's report on weights that do not fit, which lists all of them.
_MISSING, _SURPLUS = (re.compile(rf"{kind} key\(s\) in state_dict: ([^\n]*)") for kind in ("Missing", "Unexpected"))
_MISMATCH = re.compile(r"size mismatch for (\S+): .*?torch\.Size\(\[(.*?)\]\).*?torch\.Size\(\[(.*?)\]\)")


def unknown_architecture(name: str, keys: Sequence[str], likeness: Likeness | None) -> InputError:
    """The error for weights of no known architecture.

    Args:
        name: The checkpoint.
        keys: The names of its weights.
        likeness: The nearest architecture, if the likeness is real.
    """
    nearest = ""
    if likeness:
        differences = _differences(likeness.missing, likeness.surplus)
        nearest = f", nearest to {likeness.architecture} ({likeness.share:.0%} of the kinds of weights in common{differences})"
    return InputError(
        f"{name}: {len(keys)} weights of no known architecture ({_listed(keys)}){nearest}: {_remedies(name)}"
    )


def misfit(name: str, architecture: str, error: Exception) -> InputError:
    """The error for weights that have names of an architecture, but are more, fewer or of other shapes."""
    return InputError(
        f"{name} has the weight names of {architecture}, but does not fit it ({_reason(str(error), error)}): "
        f"{_remedies(name)}"
    )


def differences(error: Exception) -> str:
    """What PyTorch's report on weights that do not fit a module says, in one short line."""
    return _reason(str(error), error)


def _remedies(name: str) -> str:
    code = f"def build(): import ddrscope; from MODULE import CLASS; return ddrscope.load_weights(CLASS(), {name_in_code(name)})"
    return f'write "{code}" into mine.py and give mine:build; or ddrscope.as_network(MODULE) in Python; or {HOW_TO}'


def _reason(report: str, error: Exception) -> str:
    missing, surplus = (
        re.findall(r'"([^"]*)"', match[1]) if (match := pattern.search(report)) else []
        for pattern in (_MISSING, _SURPLUS)
    )
    parts = [text for text in (_differences(missing, surplus).removeprefix("; "),) if text]
    mismatches = _MISMATCH.findall(report)
    if mismatches:
        key, found, wanted = mismatches[0]
        others = f", {len(mismatches) - 1} others too" if len(mismatches) > 1 else ""
        parts.append(f"{_shortened(key)} is {_size(found)} instead of {_size(wanted)}{others}")
    return "; ".join(parts) or printable(report)[:200] or type(error).__name__


def _differences(missing: Sequence[str], surplus: Sequence[str]) -> str:
    text = f"; without {_listed(missing)}" if missing else ""
    return text + (f"; with {_listed(surplus)}" if surplus else "")


def _listed(keys: Sequence[str]) -> str:
    listed = ", ".join(map(_shortened, keys[:_KEYS]))
    return f"{listed} and {len(keys) - _KEYS} more" if len(keys) > _KEYS else listed


def _shortened(key: str) -> str:
    key = printable(key)
    return key if len(key) <= _KEY_LENGTH else f"{key[: _KEY_LENGTH - 3]}..."


def _size(numbers: str) -> str:
    return printable(numbers).replace(", ", "x")[:_KEY_LENGTH] or "a number"
