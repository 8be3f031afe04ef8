"""Do two sets of images differ in degradation, and when did a stream of images change?"""

from __future__ import annotations

from ddrscope.comparison.run import compare
from ddrscope.comparison.watching import watch
from ddrscope.results.comparison import ComparisonResult
from ddrscope.results.watch import WatchResult

__all__ = ["ComparisonResult", "WatchResult", "compare", "watch"]
