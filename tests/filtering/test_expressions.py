"""Expressions: which are read, what they mean (as Python means them), and how the others are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddrscope.errors import InputError, printable
from ddrscope.filtering import parse_expression
from ddrscope.filtering.columns import Kind, bind
from ddrscope.filtering.conditions import columns

KINDS: dict[str, Kind] = {
    "blur_sigma": "number",
    "blur_sigma_low": "number",
    "level": "number",
    "type": "text",
    "group": "text",
    "unseen": "flag",
    "p_my label": "number",
}
ROW = {"blur_sigma": 2.31, "blur_sigma_low": 1.9, "level": 3.0, "type": "jpeg", "group": "compression", "unseen": False}

BAD = [
    "",
    "   ",
    "blur_sigma = 1.5",
    "(blur_sigma := 1.5)",
    "blur_sgma > 1.5",
    "no_such_column > 1",
    "type > 3",
    "type < 'jpeg'",
    "level == 'three'",
    "unseen > 0.5",
    "level",
    "group",
    "1",
    "1 < 2",
    "len(type) > 2",
    "__import__('os').system('true')",
    "type.upper == 'JPEG'",
    "level[0] > 1",
    "level > 1e999",
    "level > " + "9" * 500,
    "level > 1 or " * 200 + "unseen",
    "not " * 100 + "unseen",
    "(" * 240 + "unseen" + ")" * 240,
    "level > " + "-" * 900 + "1",
    "level > (1",
    "level >",
    "level > 1 2",
    "level > 1 AND level < 3",
    "level > 1 && level < 3",
    "level > 1 & unseen",
    "!unseen",
    "level in (1, 2)",
    "level is None",
    "level == None",
    "level > 1j",
    "type == b'jpeg'",
    "f'{level}' == type",
    "level > 1 if unseen else level < 1",
    "lambda: level",
    "level + 1 > 2",
    "-level > 2",
    "level > 1\0",
    "level > \udcff",
    "level > 1 # or unseen",
    "type == jpeg",
    "[x for x in level]",
    "level > 1; unseen",
    "import os",
    "level > 'unterminated",
]


def refusal(text: str) -> str:
    with pytest.raises(InputError) as error:
        bind(parse_expression(text), KINDS)
    message = str(error.value)
    assert message == printable(message) and "reject" in message and len(message) < 400
    return message


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_no_expression_is_refused_in_one_line(text: str) -> None:
    refusal(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("blur_sgma > 1.5", "blur_sigma"),
        ("blur_sigma = 1.5", "=="),
        ("level > 1 2", "character 11"),
        ("unseen and level + 1 > 2", "character 12"),
        ("level > 1 && unseen", "and"),
        ("type == jpeg", "quotes"),
    ],
)
def test_a_refusal_says_what_to_write(text: str, hint: str) -> None:
    assert hint in refusal(text)


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("blur_sigma > 1.5", ["blur_sigma 2.31 > 1.5"]),
        ("1.5 < blur_sigma <= 3", ["1.5 < blur_sigma 2.31", "blur_sigma 2.31 <= 3"]),
        ("blur_sigma > 9 or level >= 3", ["level 3 >= 3"]),
        ("blur_sigma > 1 and not unseen", ["blur_sigma 2.31 > 1", "not unseen"]),
        ("type == 'jpeg'", ["type == 'jpeg'"]),
        ('group != "clean"', ["group compression != 'clean'"]),
        ("not (level < 2 or unseen)", ["level 3 >= 2", "not unseen"]),
        ("blur_sigma > 2.3099999", ["blur_sigma 2.31 > 2.3099999"]),
        ("blur_sigma >= 2.31", ["blur_sigma 2.31 >= 2.31"]),
        ("blur_sigma > blur_sigma_low", ["blur_sigma 2.31 > blur_sigma_low 1.9"]),
        ("unseen == False", ["unseen == False"]),
    ],
)
def test_reasons_are_what_is_true_of_the_row(text: str, reasons: list[str]) -> None:
    condition = bind(parse_expression(text), KINDS)
    assert condition.holds(ROW)
    assert [fact.text for fact in condition.facts(ROW)] == reasons


def test_a_reason_shows_a_difference_that_rounding_would_hide() -> None:
    condition = parse_expression("blur_sigma > 1.5")
    for value, shown in ((1.5012345678, "1.501"), (1.50001, "1.50001"), (1.4999966666, "1.499997")):
        (fact,) = condition.facts({"blur_sigma": value})
        assert fact.text in (f"blur_sigma {shown} > 1.5", f"blur_sigma {shown} <= 1.5")


def test_a_comparison_without_a_value_is_false_whichever_way_it_points() -> None:
    for value in (None, math.nan):
        for sign in ("<", "<=", ">", ">=", "==", "!="):
            condition = parse_expression(f"blur_sigma {sign} 1.5")
            assert not condition.holds({"blur_sigma": value})
            assert [fact.text for fact in condition.facts({"blur_sigma": value})] == ["blur_sigma unknown"]
        assert parse_expression("not (blur_sigma > 1.5)").holds({"blur_sigma": value})
        assert not parse_expression("unseen").holds({"unseen": value})


def test_a_name_that_is_no_word_is_written_with_underscores() -> None:
    condition = bind(parse_expression("p_my_label > 0.5"), KINDS)
    assert columns(condition) == ("p_my label",) and condition.holds({"p_my label": 0.7})


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("level > 2", 0.5),
        ("level > 4", -0.25),
        ("level < 4", 0.25),
        ("not (level < 4)", -0.25),
        # The most satisfied part decides an or, the least an and.
        ("level > 2 or level > 2.5", 0.5),
        ("level > 2 and level > 2.5", 0.2),
        ("level > 4 or level > 30", -0.25),
        ("level > 0", 3.0),
        # No threshold decides about a text.
        ("type == 'jpeg' and level > 2", 0.5),
        ("type == 'jpeg'", math.inf),
        ("type == 'blur'", -math.inf),
    ],
)
def test_the_distance_from_the_other_answer(text: str, distance: float) -> None:
    assert parse_expression(text).margin(ROW).distance == pytest.approx(distance)


@pytest.mark.parametrize(("low", "high", "distance"), [(1.0, 1.0, -math.inf), (1.0, 2.0, -0.2), (None, None, -0.2)])
def test_a_value_that_is_certain_is_not_near_to_a_threshold(low: float, high: float, distance: float) -> None:
    row = {"native_scale": 1.0, "native_scale_low": low, "native_scale_high": high}
    assert parse_expression("native_scale > 1.25").margin(row).distance == pytest.approx(distance)


# Against Python itself, on rows without missing values.

NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.5, -0.25])
SIGNS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
NUMERIC = st.sampled_from(["blur_sigma", "level"])
TEXTS = st.sampled_from(["jpeg", "blur", ""])
ROWS = st.fixed_dictionaries(
    {"blur_sigma": NUMBERS, "level": NUMBERS, "type": TEXTS, "group": TEXTS, "unseen": st.booleans()}
)


@st.composite
def chains(draw: st.DrawFn) -> str:
    """Numbers and columns, never two numbers side by side."""
    words = [draw(NUMERIC)]
    for _ in range(draw(st.integers(1, 3))):
        after_column = words[-1] in ("blur_sigma", "level")
        words += [draw(SIGNS), draw(NUMERIC | NUMBERS.map(str)) if after_column else draw(NUMERIC)]
    return " ".join(words)


TEXT_COMPARISONS = st.builds(
    "{} {} {!r}".format, st.sampled_from(["type", "group"]), st.sampled_from(["==", "!="]), TEXTS
)
LEAVES = chains() | TEXT_COMPARISONS | st.sampled_from(["unseen", "unseen == True", "type == group"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda part: (
        st.builds("not {}".format, part)
        | st.builds("({})".format, part)
        | st.builds("{} {} {}".format, part, st.sampled_from(["and", "or"]), part)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, ROWS)
def test_an_expression_means_what_python_means(text: str, row: dict[str, Any]) -> None:
    condition = bind(parse_expression(text), KINDS)
    expected = eval(text, {"__builtins__": {}}, dict(row))  # noqa: S307
    assert condition.holds(row) == expected
    # What is written is read again as the same.
    assert bind(parse_expression(str(condition)), KINDS).holds(row) == expected
    # The reasons are true, the distance is on the right side.
    assert all(eval(fact.comparison, {"__builtins__": {}}, dict(row)) for fact in condition.facts(row))  # noqa: S307
    distance = condition.margin(row).distance
    assert distance >= 0 if expected else distance <= 0
