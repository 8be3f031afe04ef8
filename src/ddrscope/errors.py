"""The exceptions of the package, and untrusted text made printable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

# Control characters, line separators, marks that change the writing direction, and bytes of no encoding.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class DdrscopeError(Exception):
    """Base class of all exceptions that this package raises on purpose."""


class InputError(DdrscopeError, ValueError):
    """Bad input: one line that says what is wrong, where, and the remedy.

    Messages name parameters of the Python API in backticks, as in "`crop`=4 is too small"; the command line
    replaces them by its options.
    """


class MissingDependencyError(InputError):
    """An optional dependency is not installed; the message has the line that installs it."""


class RunConflictError(InputError):
    """An output directory or file belongs to another run, or another process works in it."""


@contextmanager
def require_extra(extra: str, purpose: str) -> Iterator[None]:
    """Import packages of an optional extra; a missing one is reported with the line that installs it.

    Args:
        extra: The extra in pyproject.toml that installs the packages.
        purpose: What needs them, as the beginning of the message.

    Raises:
        MissingDependencyError: A module that the block imports is not installed.

    Examples:
        >>> with require_extra("hub", "hf://ORG/NAME"):
        ...     import huggingface_hub
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "a package").partition(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs {package}, which is not installed: pip install 'ddrscope[{extra}]'"
        ) from None


def escaped(text: str) -> str:
    """The text with every character that could control a terminal, or that has no encoding, replaced by its escape."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def printable(text: str) -> str:
    """The text escaped and in one line, each run of white space replaced by one space."""
    return escaped(" ".join(text.split()))
