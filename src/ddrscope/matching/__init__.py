"""Which degradation resembles real images, as a recipe for training."""

from __future__ import annotations

from ddrscope.matching.result import MatchResult
from ddrscope.matching.run import match

__all__ = ["MatchResult", "match"]
