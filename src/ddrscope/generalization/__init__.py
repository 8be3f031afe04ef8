"""How well networks generalize, without ground truth: SRGA, its intervals, a ranking (arXiv 2205.07019)."""

from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.run import GeneralizationRun, generalize
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.generalization.suite import read_suite

__all__ = ["GeneralizationResult", "GeneralizationRun", "GeneralizationSettings", "generalize", "read_suite"]
