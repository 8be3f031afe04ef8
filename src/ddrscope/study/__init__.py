"""The study: claims C1 to C6 of arXiv 2108.00406, from training to verdict."""

from ddrscope.study.claims import CLAIMS, Case, Claim, judge_claims
from ddrscope.study.result import StudyResult
from ddrscope.study.run import Study
from ddrscope.study.settings import StudySettings

__all__ = ["CLAIMS", "Case", "Claim", "Study", "StudyResult", "StudySettings", "judge_claims"]
