"""Claims C1 to C6 of arXiv 2108.00406, and the verdicts on them, against criteria fixed in advance.

Every rule looks at the last HR layer, in the view of the paper (flattened features) and in the pooled view, and at
variance shares with 95 % jackknife intervals over photographs. "Above" means that the whole interval lies above the
other's whole interval. A claim has cases (networks, seeds, families). It *holds* if it holds in every case, *does not
hold* if it does in none, and is *not decided here* otherwise, or where a case cannot be decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ddrscope.results.study import Case, ClaimResult, ClaimVerdict, Evidence
from ddrscope.study import rules

HOLDS: ClaimVerdict = "holds"
DOES_NOT_HOLD: ClaimVerdict = "does not hold"
NOT_DECIDED: ClaimVerdict = "not decided here"
VIEWS = ("flattened", "pooled")


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, the rule of its verdict in words, and the same rule as a function of evidence and view."""

    text: str
    rule: str
    cases: Callable[[Evidence, str], list[Case]]


CLAIMS = {
    "C1": Claim(
        "SR features cluster by degradation; classification features by content.",
        "SR networks with global residual: degradation share above the photograph's; the classifier: the reverse, "
        "and its photograph share above that of the pixels.",
        rules.clustering_by_degradation,
    ),
    "C2": Claim(
        "Trained with a pixel loss, a network does this only if it has a global residual.",
        "Degradation share with global residual above that without and above random weights; for each seed also "
        "between the network without and the checkpoint with global residual of the same PSNR "
        f"(within {rules.MATCHED_WITHIN} dB, else not decided).",
        rules.global_residual,
    ),
    "C3": Claim(
        "Trained adversarially, a network does it with or without global residual.",
        "Without global residual: degradation share after the adversarial stage above that before and above random "
        "weights, content share below; with global residual: above random weights.",
        rules.adversarial_training,
    ),
    "C4": Claim(
        "The levels of one degradation form a continuous path: the further apart the levels, the further apart the "
        "points.",
        "Spearman's correlation of the distances of levels and of their centroids in PCA-50: interval above "
        f"{rules.CLEAR_ORDER}, for blur, noise and JPEG in both networks with global residual.",
        rules.level_paths,
    ),
    "C5": Claim(
        "It strengthens with depth.",
        "Degradation share at the last HR layer above that of the first block, rank correlation with depth above "
        f"{rules.CLEAR_ORDER}.",
        rules.depth,
    ),
    "C6": Claim(
        "It emerges during training.",
        "Degradation share at the last checkpoint above that of the untrained network, rank correlation with the step "
        f"above {rules.CLEAR_ORDER}.",
        rules.training,
    ),
}


def judge_claims(evidence: Evidence, views: Iterable[str] = VIEWS) -> tuple[ClaimResult, ...]:
    """The verdict on every claim in every view."""
    results = []
    for key, claim in CLAIMS.items():
        for view in views:
            cases = tuple(claim.cases(evidence, view))
            results.append(ClaimResult(key, claim.text, claim.rule, view, verdict(cases), cases))
    return tuple(results)


def verdict(cases: Iterable[Case]) -> ClaimVerdict:
    """The verdict on a claim from its cases."""
    answers = [case.holds for case in cases]
    if answers and all(answers):
        return HOLDS
    if answers and all(answer is False for answer in answers):
        return DOES_NOT_HOLD
    return NOT_DECIDED
