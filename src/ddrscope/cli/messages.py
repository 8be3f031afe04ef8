"""Errors of the library in the words of the command line: parameters become options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import typer

_PARAMETER = re.compile(r"`(\w+)`(=True\b|=)?")


def in_options(message: str, options: Mapping[str, str]) -> str:
    """The message with each parameter in backticks replaced by its option.

    "`crop`=4 is too small" becomes "--crop 4 is too small". A parameter that is no option of the command loses its
    backticks.

    Args:
        message: The message of an `ddrscope.errors.InputError`.
        options: The command's options by the names of their parameters.
    """

    def replaced(match: re.Match[str]) -> str:
        name, equals = match[1], match[2]
        if name not in options:
            return name + (equals or "")
        return options[name] + (" " if equals == "=" else "")

    return _PARAMETER.sub(replaced, message)


def options_of(command: Any, words: Sequence[str]) -> dict[str, str]:
    """The longest form of every option and the metavar of every argument of the command that ``words`` name."""
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            break
        if word in commands:
            command = command.get_command(typer.Context(command), word)
    found = {}
    for parameter in getattr(command, "params", ()):
        longest = max(parameter.opts, key=len, default=parameter.name)
        found[parameter.name] = longest if longest.startswith("-") else parameter.metavar or longest
    return found
