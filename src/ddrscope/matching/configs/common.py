"""A configuration file of another program, and how its values and comments are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ddrscope.degradations.recipe_steps import Place

Scalar: TypeAlias = "str | bool | int | float"
Value: TypeAlias = "Scalar | Sequence[Value] | Mapping[str, Value]"

PATH_TO_HR = "path/to/hr"
WHERE: dict[Place, str] = {"before": "before the last resizing", "after": "at the LR size"}
RANGES = "Ranges hold 90 % of the values of the recipe."
UNIFORM = "Values are uniform within their ranges; those of the recipe are more frequent near the median."
INDEPENDENT = "Steps are drawn independently of each other; the recipe draws whole chains."


@dataclass(frozen=True)
class Config:
    """A configuration file of a program.

    Attributes:
        name: Suggested name of the file.
        text: Its contents.
        lost: Sentences that say what the program cannot express. The file has them as comments.
    """

    name: str
    text: str
    lost: tuple[str, ...]


def make_config(name: str, program: str, notes: Sequence[str], lost: Sequence[str], lines: Sequence[str]) -> Config:
    """The lines with a head of comments.

    Args:
        name: Name of the file.
        program: For which program it is.
        notes: How it is used.
        lost: What is not expressed.
        lines: Its contents.
    """
    unique = tuple(dict.fromkeys(lost))
    head = [f"Degradations for {program}, from a recipe of `ddrscope match`.", *notes]
    if unique:
        head += ["", "Not expressed:", *(f"- {sentence}" for sentence in unique)]
    comments = [f"# {line}".rstrip() for line in head]
    return Config(name, "\n".join([*comments, "", *lines]) + "\n", unique)


def number(value: float) -> str:
    """A number with a decimal point and without an exponent, which all formats read as a number."""
    # YAML 1.1 reads 1e-05 as text.
    text = f"{value:.6f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def inline(value: Value) -> str:
    """A value in one line; a mapping as TOML and HCL write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + " }"
    return "[" + ", ".join(map(inline, value)) + "]"


def assignments(values: Mapping[str, Value]) -> list[str]:
    """The lines of a table of TOML or a block of HCL."""
    return [f"{key} = {inline(value)}" for key, value in values.items()]


def yaml_lines(values: Mapping[str, Value], indent: str = "") -> list[str]:
    """A mapping as YAML; lists of mappings have one entry for each."""
    lines = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", *yaml_lines(value, indent + "  ")]
        elif isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
            lines.append(f"{indent}{key}:")
            for item in value:
                assert isinstance(item, Mapping)
                first, *others = yaml_lines(item, indent + "    ")
                lines += [f"{indent}  - {first.strip()}", *others]
        else:
            lines.append(f"{indent}{key}: {inline(value)}")
    return lines


def percent(share: float) -> str:
    """A share in percent, as ``30 %``."""
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "less than 1 %"


def span(ends: Sequence[float]) -> str:
    """A range, as ``2 to 5``."""
    return f"{ends[0]:.3g} to {ends[1]:.3g}"


def repeated(shares: Mapping[str, float], slots: int = 20) -> list[str]:
    """Names in proportion to their shares, for programs that draw evenly from a list.

    Args:
        shares: The share of each name.
        slots: Length of the list, about; each name has at least one place.
    """
    total = sum(shares.values())
    counts = {name: max(1, round(slots * share / total)) for name, share in shares.items() if share > 0}
    common = next(n for n in range(min(counts.values()), 0, -1) if all(count % n == 0 for count in counts.values()))
    return [name for name, count in counts.items() for _ in range(count // common)]


def rounding_lost(what: str, shares: Mapping[str, float]) -> list[str]:
    """A sentence if `repeated` changes a share by more than one percent."""
    names, total = repeated(shares), sum(shares.values())
    changes = [abs(names.count(name) / len(names) - share / total) for name, share in shares.items()]
    return [f"Shares of {what} are rounded to parts of {len(names)}."] if max(changes, default=0.0) > 0.01 else []
