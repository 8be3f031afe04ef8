"""Features of many images as one file, for other tools."""

from ddrscope.extraction.run import extract_features
from ddrscope.results.extraction import ExtractedFeatures

__all__ = ["ExtractedFeatures", "extract_features"]
