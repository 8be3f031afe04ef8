"""Names of layers, and globs that select several."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from ddrscope.errors import InputError

_TEXT = re.compile(r"(?P<module>[^#\n]+?)(?:#(?P<call>[1-9][0-9]{0,8}|\*))?(?P<input>:input)?")
ANY_CALL = 0


class LayerName(NamedTuple):
    """One tensor of a forward pass: the output (or input) of the n-th call of a submodule.

    As text: ``body.3``, ``body.3#2`` (second call of a reused module), ``conv_last:input``, ``body.3#2:input``. A
    pattern is a `LayerName` too: ``*``, ``?`` and ``[...]`` in the module part match characters within one dotted
    level (``body.*`` matches ``body.3``, not ``body.3.conv1``), and ``#*`` (call 0) every call.

    Attributes:
        module: Name of the submodule.
        call: Which call, from 1.
        is_input: Whether it is the input of the call, not its output.
    """

    module: str
    call: int = 1
    is_input: bool = False

    @classmethod
    def parse(cls, text: str) -> LayerName:
        """Read a layer name or pattern. Raises `InputError` if it is malformed."""
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InputError(f"layer {text!r} is no layer name; write NAME, NAME#2 or NAME:input")
        call = match["call"] or "1"
        return cls(match["module"], ANY_CALL if call == "*" else int(call), match["input"] is not None)

    def __str__(self) -> str:
        call = {ANY_CALL: "#*", 1: ""}.get(self.call, f"#{self.call}")
        return f"{self.module}{call}{':input' if self.is_input else ''}"

    @property
    def is_glob(self) -> bool:
        """Whether it may match several layers."""
        return self.call == ANY_CALL or any(character in self.module for character in "*?[")

    @property
    def depth(self) -> int:
        """How many submodules contain the submodule."""
        return self.module.count(".")

    def selects_module(self, name: str) -> bool:
        """Whether the module part of this pattern matches the submodule ``name``."""
        levels, name_levels = self.module.split("."), name.split(".")
        return name == self.module or (
            len(levels) == len(name_levels)
            and all(fnmatchcase(part, level) for part, level in zip(name_levels, levels, strict=True))
        )

    def selects(self, layer: LayerName) -> bool:
        """Whether this pattern matches ``layer``."""
        return (
            self.is_input == layer.is_input
            and self.call in (ANY_CALL, layer.call)
            and self.selects_module(layer.module)
        )


def unknown_layer(text: str, known: Iterable[str]) -> InputError:
    """The error for a layer that the network does not have, with similar names that it has."""
    known = list(known)
    similar = difflib.get_close_matches(LayerName.parse(text).module, known, n=3, cutoff=0.4) or known[:3]
    return InputError(f"layer {text!r}: the network has no such layer; nearest names: {', '.join(similar) or 'none'}")
