"""The error every room raises when the user's input cannot be used, and how strangers' text is shown."""

import re

# Control characters, separators of lines, what turns the direction of writing, and bytes of no encoding.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    """The text without what could control a terminal or cannot be encoded, written as its escape instead."""
    return _UNSAFE.sub(lambda one: ascii(one[0])[1:-1], text)


def printable(text: str) -> str:
    """The same in one line, white space being one blank."""
    return escaped(" ".join(text.split()))


class InputError(ValueError):
    """Bad input from outside: one line saying what, where, and the remedy (the command exits with 2)."""
