"""The columns that expressions may name: those of the table, whichever these are, and their kinds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

from ddrscope.errors import InputError, printable
from ddrscope.filtering.conditions import Column, Comparison, Condition, Constant, Flag, Joined, Not, Operand

Kind = Literal["number", "text", "flag"]

_MOST_NAMED = 3
_FEW = 24
_DESCRIPTIONS = {"number": "a number", "text": "a text", "flag": "True or False"}
_EXAMPLES = {"number": "{} > 1.5", "text": '{} == "..."', "flag": "{}, or not {}"}


def kinds_of(schema: pa.Schema) -> dict[str, Kind]:
    """The kind of each column of a table; columns of other kinds, such as lists, are left out.

    A column without any value counts as one of numbers: all comparisons with it are false.
    """
    kinds: dict[str, Kind] = {}
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_boolean(kind):
            kinds[field.name] = "flag"
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            kinds[field.name] = "text"
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
            kinds[field.name] = "number"
    return kinds


def bind(condition: Condition, kinds: Mapping[str, Kind]) -> Condition:
    """The condition with the names of the table's columns, after a check that they exist and are of suitable kinds.

    A column whose name is no word, as ``p_my label``, is written with underscores: ``p_my_label``.

    Args:
        condition: As `parse_expression` gives it.
        kinds: The kind of each column.

    Raises:
        InputError: There is no such column, or it is compared with a value of another kind.
    """
    if isinstance(condition, Not):
        return Not(bind(condition.part, kinds))
    if isinstance(condition, Joined):
        return Joined(tuple(bind(part, kinds) for part in condition.parts), condition.any)
    if isinstance(condition, Flag):
        column = _known(condition.column, kinds)
        if (kind := kinds[column.name]) != "flag":
            example = _EXAMPLES[kind].replace("{}", column.name)
            raise InputError(
                f"`reject`: {printable(column.name)} alone is no condition, since it is {_DESCRIPTIONS[kind]}: compare it, as {example}"
            )
        return Flag(column)
    for one, other in (condition.operands, condition.operands[::-1]):
        if _is_text_column(one, kinds) and isinstance(other, Column) and other.name not in kinds:
            text = printable(other.name)[:60]
            raise InputError(f'`reject`: there is no column {text}: a text needs quotes, as {one} == "{text}"')
    left, right = (_known(each, kinds) if isinstance(each, Column) else each for each in condition.operands)
    bound = Comparison(left, condition.operator, right)
    _check_kinds(bound, kinds)
    return bound


def _is_text_column(operand: Operand, kinds: Mapping[str, Kind]) -> bool:
    return isinstance(operand, Column) and kinds.get(operand.name) == "text"


def _check_kinds(comparison: Comparison, kinds: Mapping[str, Kind]) -> None:
    left, right = (_kind(operand, kinds) for operand in comparison.operands)
    column = next(operand for operand in comparison.operands if isinstance(operand, Column))
    kind = _kind(column, kinds)
    example = _EXAMPLES[kind].replace("{}", printable(column.name))
    if left != right:
        other = right if comparison.left is column else left
        raise InputError(
            f"`reject`: {printable(str(comparison))}: {printable(column.name)} is {_DESCRIPTIONS[kind]} and is compared "
            f"with {_DESCRIPTIONS[other]}: write {example}"
        )
    if kind != "number" and comparison.operator not in ("==", "!="):
        raise InputError(
            f"`reject`: {printable(str(comparison))}: {printable(column.name)} is {_DESCRIPTIONS[kind]}, which is "
            f"compared by == and != only: write {example}"
        )


def _kind(operand: Operand, kinds: Mapping[str, Kind]) -> Kind:
    if isinstance(operand, Column):
        return kinds[operand.name]
    if isinstance(operand.value, bool):
        return "flag"
    return "text" if isinstance(operand.value, str) else "number"


def _known(column: Column, kinds: Mapping[str, Kind]) -> Column:
    if column.name in kinds:
        return column
    # Labels of one's own may have any characters, which an expression cannot have.
    as_words = [name for name in kinds if re.sub(r"\W", "_", name) == column.name]
    if len(as_words) == 1:
        return Column(as_words[0])
    name = printable(column.name)[:60]
    near = difflib.get_close_matches(column.name, kinds, n=_MOST_NAMED, cutoff=0.5)
    if near:
        hint = f"did you mean {', '.join(map(printable, near))}?"
    else:
        hint = f"there are {printable(', '.join(list(kinds)[:_FEW]))}{' ...' if len(kinds) > _FEW else ''}"
    raise InputError(f"`reject`: there is no column {name}: {hint}")


def text_comparison(condition: Comparison) -> tuple[str, str] | None:
    """The column and the text of a comparison of a column with a text; None for other comparisons."""
    left, right = condition.operands
    if isinstance(left, Constant):
        left, right = right, left
    if isinstance(left, Column) and isinstance(right, Constant) and isinstance(right.value, str):
        return left.name, right.value
    return None
