"""Errors of the library in the terms of the command line: parameters become options."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from ddrscope.cli.common import is_split

_PARAMETER = re.compile(r"`(\w+)`(=True\b|=)?")


def named_command(group: Any, words: Sequence[str]) -> Any:
    """The command, or group of commands, that ``words`` name; ``group`` itself if they name none."""
    command = group
    for word in words:
        if not hasattr(command, "list_commands"):
            break
        context = typer.Context(command)
        if word in command.list_commands(context):
            command = command.get_command(context, word)
    return command


def options_of(command: Any) -> dict[str, str]:
    """The longest form of every option, and the metavar of every argument, by the names of their parameters."""
    found = {}
    for parameter in command.params:
        longest = max(parameter.opts, key=len, default=parameter.name)
        found[parameter.name] = longest if longest.startswith("-") else parameter.metavar or longest
    return found


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


def separated_values(command: Any, words: Sequence[str], message: str) -> str:
    """How to write several values of an option, if an error stems from `--degrade clean blur:4`.

    There, blur:4 is read as an argument of its own. The error is taken to stem from that if ``message`` mentions the
    option or the word after its value.

    Returns:
        The message to show instead; an empty string if the error has another cause.
    """
    for parameter, values in _values_after(command, words):
        option = max(parameter.opts, key=len)
        misread = [value for value in values[1:] if not os.path.exists(value)]
        if misread and any(_mentions(message, word) for word in (option, *misread)):
            repeated = " ".join(f"{option} {value}" for value in values)
            quoted = f'{option} "{" ".join(values)}" or ' if is_split(parameter) else ""
            return f"{option} takes one value, so {misread[0]!r} was not read as another one: write {quoted}{repeated}"
    return ""


def _mentions(message: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", message) is not None


def _values_after(command: Any, words: Sequence[str]) -> Iterator[tuple[Any, list[str]]]:
    """Each option that may be repeated and is followed by several words, with these words."""
    repeatable = {
        name: parameter
        for parameter in command.params
        if getattr(parameter, "multiple", False)
        for name in parameter.opts
    }
    for index, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in repeatable:
            values = [value] if equals else []
            for following in words[index + 1 :]:
                if following.startswith("-"):
                    break
                values.append(following)
            if len(values) > 1:
                yield repeatable[option], values
