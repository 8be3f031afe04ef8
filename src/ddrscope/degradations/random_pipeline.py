"""Pipelines with random levels, for training: ``blur:0..4+noise:0..20``."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

import numpy as np

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.pipeline import MAX_TEXT_LENGTH, Pipeline, parse_degradation
from ddrscope.errors import InputError

_NUMBER = r"([-+]?(?:\d+(?:\.\d+)?|\.\d+))"
# Not from within a number: the rest of it would remain before the range.
_RANGE = re.compile(rf"(?<![\w.]){_NUMBER}\.\.{_NUMBER}(?![\w.])")


@dataclass(frozen=True)
class RandomPipeline:
    """A distribution of pipelines: each number is uniform between those of two pipelines of the same families.

    Attributes:
        low: The pipeline with the lower ends.
        high: The pipeline with the upper ends.
    """

    low: Pipeline
    high: Pipeline

    def sample(self, rng: np.random.Generator) -> Pipeline:
        """Draw a pipeline."""
        steps = zip(self.low.steps, self.high.steps, strict=True)
        return Pipeline(tuple(_sample_step(low, high, rng) for low, high in steps))


def parse_random_pipeline(text: str) -> RandomPipeline:
    """Read a degradation whose numbers may be ranges.

    Args:
        text: As ``blur:0..4+noise:0..20`` or ``jpeg:30..95``.

    Raises:
        InputError: Either end is not a valid degradation, or a range is reversed.
    """
    if len(text) > MAX_TEXT_LENGTH:
        # Raises the error about its length.
        parse_degradation(text)
    for low, high in _RANGE.findall(text):
        if float(low) > float(high):
            raise InputError(f"'{text}': the range {low}..{high} is reversed: write {high}..{low}")
    return RandomPipeline(*(parse_degradation(_RANGE.sub(rf"\{end}", text)) for end in (1, 2)))


def _sample_step(low: Degradation, high: Degradation, rng: np.random.Generator) -> Degradation:
    values = {}
    for name in (field.name for field in fields(low)):
        start, end = getattr(low, name), getattr(high, name)
        if start != end:
            is_integer = isinstance(start, int)
            values[name] = int(rng.integers(start, end + 1)) if is_integer else float(rng.uniform(start, end))
    return replace(low, **values)
