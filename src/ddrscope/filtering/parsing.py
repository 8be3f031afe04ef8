"""The expressions of ``ddrscope filter``, read from text. Nothing of the text is ever run.

    expression:  comparison | NAME | not expression | expression and expression | expression or expression
                 | (expression)
    comparison:  operand (< | <= | > | >= | == | !=) operand, chained as in 0.5 < blur_sigma < 2
    operand:     NAME | NUMBER | +NUMBER | -NUMBER | "TEXT" | 'TEXT' | True | False

``not`` binds more tightly than ``and``, ``and`` more than ``or``. A NAME is that of a column; alone it is a column of
yes and no. The text is split by Python's own parser, and of its syntax tree only the nodes of this grammar are taken.
"""

from __future__ import annotations

import ast
import re
import warnings

from ddrscope.errors import InputError, escaped, printable
from ddrscope.filtering.conditions import Column, Comparison, Condition, Constant, Flag, Joined, Not, Operand

MAX_LENGTH = 1000
MAX_DEPTH = 20
MAX_NUMBER = 1e12
_SHOWN = 60

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_REFUSED: dict[type[ast.AST], str] = {
    ast.Call: "functions cannot be called",
    ast.Attribute: "a dot has no meaning after a name",
    ast.Subscript: "brackets have no meaning",
    ast.BinOp: "columns and numbers are compared, not calculated with; conditions are joined by and, or, not",
    ast.NamedExpr: "nothing can be assigned: write == to compare",
    ast.IfExp: "if has no meaning here",
    ast.JoinedStr: "texts of the form f'...' have no meaning here",
    ast.Lambda: "functions cannot be made",
}
_OTHER = "only comparisons of columns, joined by and, or, not and parentheses, are understood"


def parse_expression(text: str) -> Condition:
    """The condition that an expression states; which columns there are is not looked at.

    Args:
        text: As ``blur_sigma > 1.5 or (group == "noise" and level >= 3)``.

    Raises:
        InputError: The text is empty, too long, nested too deeply, or no expression of the grammar.

    Examples:
        >>> parse_expression("blur_sigma > 1.5").holds({"blur_sigma": 2.0})
        True
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"`reject` has {len(text)} characters, of at most {MAX_LENGTH}: give several shorter ones")
    # Python would read lines; here a line break is a space like any other.
    text = re.sub(r"\s", " ", text).strip()
    if text != escaped(text):
        raise InputError(f"`reject` {_shown(text)} has a character that cannot be printed: remove it")
    if "#" in re.sub(r"'[^']*'|\"[^\"]*\"", "", text):
        raise InputError(f"`reject` {_shown(text)}: # has no meaning: remove the comment")
    if not text:
        raise InputError("`reject` is empty: give a condition, as 'level > 2'")
    return _Reader(text).condition(_tree(text).body)


def _tree(text: str) -> ast.Expression:
    try:
        with warnings.catch_warnings():
            # Python warns of what it would not run well, such as 1is 2; it is refused below.
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise InputError(f"`reject` {_shown(text)}: {_syntax_message(text, error)}") from None
    except (MemoryError, RecursionError):
        raise InputError(f"`reject` {_shown(text)}: is nested too deeply: give several simpler ones") from None
    except ValueError as error:
        raise InputError(f"`reject` {_shown(text)}: {printable(str(error))}") from None


def _syntax_message(text: str, error: SyntaxError) -> str:
    if re.search(r"(?<![=<>!:])=(?!=)", text):
        return "nothing can be assigned: write == to compare"
    if wrong := re.search(r"&&?|\|\|?|\b(AND|OR|NOT)\b|!(?!=)", text):
        return f"{wrong[0]} at character {wrong.start() + 1} is not understood: write and, or, not"
    if "nested" in error.msg:
        return "is nested too deeply: give several simpler ones"
    if "integer string" in error.msg:
        return f"a number is larger than {MAX_NUMBER:g}"
    # Hints on other forms of Python, which are none of this grammar.
    reason = printable(error.msg).partition(". ")[0]
    place = f" at character {error.offset}" if error.offset else ""
    return f"{reason}{place}: write comparisons, as level >= 3 or unseen"


class _Reader:
    """Turns nodes of Python's syntax tree into conditions, and refuses all that are not in the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text

    def condition(self, node: ast.AST, depth: int = 0) -> Condition:
        """The condition that a node states."""
        if depth > MAX_DEPTH:
            raise self._error(node, f"is nested more than {MAX_DEPTH} deep: give several simpler ones")
        if isinstance(node, ast.BoolOp):
            parts = tuple(self.condition(value, depth + 1) for value in node.values)
            return Joined(parts, any=isinstance(node.op, ast.Or))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Name):
            return Flag(Column(node.id))
        if isinstance(node, ast.Constant):
            raise self._error(node, "a value alone is no condition: compare it with a column, as level > 2")
        raise self._refusal(node)

    def _comparison(self, node: ast.Compare) -> Condition:
        if any(type(sign) not in _SIGNS for sign in node.ops):
            raise self._error(node, "in and is have no meaning: compare by <, <=, >, >=, == or !=")
        signs = [_SIGNS[type(sign)] for sign in node.ops]
        operands = [self._operand(operand) for operand in (node.left, *node.comparators)]
        pairs = []
        for left, sign, right in zip(operands, signs, operands[1:], strict=False):
            if isinstance(left, Constant) and isinstance(right, Constant):
                raise self._error(node, f"{left} {sign} {right} compares no column")
            pairs.append(Comparison(left, sign, right))
        return pairs[0] if len(pairs) == 1 else Joined(tuple(pairs), any=False)

    def _operand(self, node: ast.AST) -> Operand:
        if isinstance(node, ast.Name):
            return Column(node.id)
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign = -1 if isinstance(node.op, ast.USub) else 1
            if not (isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float)):
                raise self._error(node, "a sign belongs before a number")
            node = node.operand
        if not isinstance(node, ast.Constant):
            raise self._refusal(node)
        value = node.value
        if isinstance(value, bool | str):
            return Constant(value)
        if isinstance(value, int | float):
            # Whole numbers may be larger than any float.
            if abs(value) > MAX_NUMBER:
                raise self._error(node, f"a number is larger than {MAX_NUMBER:g}")
            return Constant(sign * float(value))
        raise self._error(
            node, f"{printable(str(value))[:20]} is no number, no text in quotes, and neither True nor False"
        )

    def _refusal(self, node: ast.AST) -> InputError:
        reasons = (reason for kind, reason in _REFUSED.items() if isinstance(node, kind))
        return self._error(node, next(reasons, _OTHER))

    def _error(self, node: ast.AST, reason: str) -> InputError:
        place = len(self._text.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore")) + 1
        return InputError(f"`reject` {_shown(self._text)}, character {place}: {reason}")


def _shown(text: str) -> str:
    text = printable(text)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
