"""The study: claims C1 to C6 of arXiv 2108.00406, from training to verdict."""

from ddrscope.study.claims import CLAIMS, Claim, judge_claims
from ddrscope.study.result import StudyResult
from ddrscope.study.run import run_study

__all__ = ["CLAIMS", "Claim", "StudyResult", "judge_claims", "run_study"]
