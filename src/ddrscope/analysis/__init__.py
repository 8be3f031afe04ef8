"""The analysis: measures of every layer of networks, for images under several degradations."""

from ddrscope.analysis.api import analyze
from ddrscope.analysis.result import AnalysisResult
from ddrscope.analysis.settings import DEFAULT_DEGRADATIONS, DEFAULT_NETWORKS

__all__ = ["DEFAULT_DEGRADATIONS", "DEFAULT_NETWORKS", "AnalysisResult", "analyze"]
