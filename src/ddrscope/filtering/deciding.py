"""Deciding about rows: keep, reject with the reasons, or an error; and which rows are nearest to the other answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddrscope.errors import printable
from ddrscope.filtering.columns import text_comparison
from ddrscope.filtering.conditions import Comparison, Condition, Joined, columns, comparisons
from ddrscope.filtering.result import Decision, FilteredImage
from ddrscope.filtering.tables import Candidate

# Farther from every threshold, relative to it, an image is not borderline.
MAX_DISTANCE = 0.5
_MOST_NAMED = 12


@dataclass(frozen=True)
class Decided:
    """A row with what was decided about it.

    Attributes:
        candidate: The row.
        decision: The decision.
        reason: Why, in words; None for a kept image.
        distance: How far it is from the other decision, see `ddrscope.filtering.conditions.Margin`.
        nearest: The comparison that decides this, in words.
    """

    candidate: Candidate
    decision: Decision
    reason: str | None
    distance: float = math.inf
    nearest: str = ""

    def to_row(self) -> FilteredImage:
        """The row of the result, before its file is copied or moved."""
        return FilteredImage(self.candidate.path, self.decision, self.reason)


def decide(candidate: Candidate, conditions: Sequence[Condition]) -> Decided:
    """Decide about one row: it is rejected if a condition holds."""
    if candidate.error is not None:
        return Decided(candidate, "error", candidate.error)
    row = candidate.values
    facts = {fact.text: None for condition in conditions if condition.holds(row) for fact in condition.facts(row)}
    margin = Joined(tuple(conditions), any=True).margin(row)
    nearest = printable(margin.fact.text)
    if facts:
        return Decided(candidate, "reject", printable("; ".join(facts)), margin.distance, nearest)
    return Decided(candidate, "keep", None, -margin.distance, nearest)


def count_matches(decided: Sequence[Decided], conditions: Sequence[Condition]) -> dict[str, int]:
    """How many rejected rows each comparison rejects, the most frequent first."""
    count: Counter[str] = Counter()
    for each in decided:
        if each.decision == "reject":
            row = each.candidate.values
            held = (condition for condition in conditions if condition.holds(row))
            count.update({printable(fact.comparison) for condition in held for fact in condition.facts(row)})
    return dict(count.most_common())


def borderline(decided: Sequence[Decided], limit: int) -> tuple[list[Decided], list[Decided]]:
    """The kept and the rejected rows that are nearest to a threshold, at most `MAX_DISTANCE` from it, the nearest first.

    Args:
        decided: All rows.
        limit: How many in all; half of them of each decision, or more if there are few of the other.
    """
    sides = []
    for decision in ("keep", "reject"):
        near = [each for each in decided if each.decision == decision and each.distance <= MAX_DISTANCE]
        sides.append(sorted(near, key=lambda each: each.distance))
    kept, rejected = sides
    half = limit // 2
    return kept[: max(half, limit - len(rejected))], rejected[: max(half, limit - len(kept))]


def notes_on_values(decided: Sequence[Decided], conditions: Sequence[Condition]) -> list[str]:
    """Columns that have no value for some images, and texts that no image has: often a misunderstanding."""
    rows = [each.candidate.values for each in decided if each.decision != "error"]
    if not rows:
        return []
    notes = []
    for name in dict.fromkeys(name for condition in conditions for name in columns(condition)):
        unknown = sum(row.get(name) is None or row[name] != row[name] for row in rows)
        if unknown:
            images = f"{unknown} of {len(rows)} images"
            notes.append(f"{printable(name)} has no value for {images}: comparisons with it are false for them")
    for part in (part for condition in conditions for part in comparisons(condition)):
        compared = text_comparison(part) if isinstance(part, Comparison) else None
        if compared and not any(row.get(compared[0]) == compared[1] for row in rows):
            notes.append(_never(*compared, rows))
    return list(dict.fromkeys(notes))


def _never(name: str, text: str, rows: Sequence[Mapping[str, Any]]) -> str:
    values = Counter(str(row[name]) for row in rows if row.get(name) is not None).most_common()
    shown = ", ".join(value for value, _ in values[:_MOST_NAMED]) + (" ..." if len(values) > _MOST_NAMED else "")
    return printable(f"no image has the {name} {text!r}: there are {shown}"[:400])
