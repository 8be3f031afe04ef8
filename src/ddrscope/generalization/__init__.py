"""How well networks generalize, without ground truth: SRGA with confidence intervals (arXiv 2205.07019)."""

from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.run import generalize
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.generalization.suite import read_suite

__all__ = ["GeneralizationResult", "GeneralizationSettings", "generalize", "read_suite"]
