"""The main job: what do networks know about the degradation in their input?"""

from ddrscope.analysis.grams import choose_layers
from ddrscope.analysis.result import AnalysisResult
from ddrscope.analysis.run import Analysis, analyze
from ddrscope.analysis.settings import DEFAULT_DEGRADATIONS, DEFAULT_NETWORKS, AnalysisSettings
from ddrscope.progress import Progress

__all__ = [
    "DEFAULT_DEGRADATIONS",
    "DEFAULT_NETWORKS",
    "Analysis",
    "AnalysisResult",
    "AnalysisSettings",
    "Progress",
    "analyze",
    "choose_layers",
]
