"""Which degradation resembles real images, as a recipe for training."""

from __future__ import annotations

from ddrscope.matching.chains import DegradationChain, parse_chain
from ddrscope.matching.recipe import DegradationRecipe
from ddrscope.matching.result import MatchResult
from ddrscope.matching.run import match

__all__ = ["DegradationChain", "DegradationRecipe", "MatchResult", "match", "parse_chain"]
