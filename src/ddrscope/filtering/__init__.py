"""Keeping and rejecting images by expressions over what was identified in them.

`ddrscope.filtering.parsing` has the grammar of the expressions, `ddrscope.filtering.conditions` what they mean.
"""

from ddrscope.filtering.parsing import parse_expression
from ddrscope.filtering.result import FilteredImage, FilterResult
from ddrscope.filtering.run import filter_images

__all__ = ["FilterResult", "FilteredImage", "filter_images", "parse_expression"]
