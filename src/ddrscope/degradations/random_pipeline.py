"""Pipelines whose levels are drawn at random between two ends, for training on many of them: `blur:0..4+noise:0..20`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

import numpy as np

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.pipeline import LONGEST, Pipeline, parse_degradation
from ddrscope.errors import InputError

_NUMBER = r"([-+]?(?:\d+(?:\.\d+)?|\.\d+))"
# Not from the middle of a number on: the rest of it would stand before either end.
_RANGE = re.compile(rf"(?<![\w.]){_NUMBER}\.\.{_NUMBER}(?![\w.])")


@dataclass(frozen=True)
class RandomPipeline:
    """All pipelines between two of the same families: each number is drawn evenly between those of ``low`` and ``high``."""

    low: Pipeline
    high: Pipeline

    def draw(self, random: np.random.Generator) -> Pipeline:
        """One of them."""
        return Pipeline(tuple(_between(*ends, random) for ends in zip(self.low.steps, self.high.steps, strict=True)))


def parse_random_pipeline(text: str) -> RandomPipeline:
    """Read a degradation whose numbers may be ranges, as ``blur:0..4+noise:0..20`` or ``jpeg:30..95``.

    Raises `InputError` where either end is no degradation, and where a range runs backwards.
    """
    if len(text) > LONGEST:
        return RandomPipeline(*(parse_degradation(text),) * 2)  # which says that it is too long
    for low, high in _RANGE.findall(text):
        if float(low) > float(high):
            raise InputError(f"'{text}': the range {low}..{high} runs backwards: write {high}..{low}")
    return RandomPipeline(*(parse_degradation(_RANGE.sub(rf"\{end}", text)) for end in (1, 2)))


def _between(low: Degradation, high: Degradation, random: np.random.Generator) -> Degradation:
    drawn = {}
    for name in (field.name for field in fields(low)):
        start, end = getattr(low, name), getattr(high, name)
        if start != end:
            drawn[name] = (
                int(random.integers(start, end + 1)) if isinstance(start, int) else float(random.uniform(start, end))
            )
    return replace(low, **drawn)
