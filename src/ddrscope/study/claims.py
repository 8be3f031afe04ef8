"""The verdicts on claims C1 to C6, by rules that were written before the numbers were seen.

Every rule looks at the last HR layer, first in the paper's view (flattened features), and at variance shares, whose intervals are 95 %
jackknife over photographs: "above" always means that the whole interval lies above the other's whole interval. A claim is made of
cases (networks, seeds, families). It *holds* if it holds in every case, *does not hold* if it does in none, and is *not decided here*
otherwise, or where a case cannot be decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from ddrscope.study.evidence import Evidence
from ddrscope.study.settings import CLASSIFIER, LEVELS

HOLDS, DOES_NOT_HOLD, NOT_DECIDED = "holds", "does not hold", "not decided here"
# How near in PSNR (dB) the checkpoint with global residual must be to the network without.
MATCHED_WITHIN = 0.1
# A rank correlation of at least so much counts as "the further, the more".
CLEAR_ORDER = 0.7

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Case:
    """One instance of a claim: ``holds`` is None where it cannot be decided; ``evidence`` gives the numbers in words."""

    name: str
    holds: bool | None
    evidence: str


@dataclass(frozen=True)
class Claim:
    """A claim's verdict in one view, and the cases it rests on."""

    key: str
    view: str
    verdict: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Statement:
    """What the paper claims and by which rule it is judged."""

    text: str
    rule: str
    judge: Callable[[Evidence, Mapping[str, float], str], list[Case]]


def judge_claims(
    evidence: Evidence, psnr: Mapping[str, float], views: Iterable[str] = ("flattened", "pooled")
) -> list[Claim]:
    """The verdict on every claim in every view; ``psnr`` is that of each network's final weights on the validation photographs."""
    found = []
    for key, statement in CLAIMS.items():
        for view in views:
            cases = statement.judge(evidence, psnr, view)
            found.append(Claim(key, view, verdict(cases), tuple(cases)))
    return found


def verdict(cases: Iterable[Case]) -> str:
    """Holds in every case, in none, or something between."""
    answers = [case.holds for case in cases]
    if answers and all(answers):
        return HOLDS
    if answers and all(answer is False for answer in answers):
        return DOES_NOT_HOLD
    return NOT_DECIDED


def above(one: Row, other: Row, measure: str, other_measure: str = "") -> bool:
    """Whether the interval of ``measure`` in one row lies above that of ``other_measure`` (default: the same) in the other."""
    return bool(one[f"{measure}_low"] > other[f"{other_measure or measure}_high"])


def percent(row: Row, measure: str) -> str:
    """A share with its interval, in percent."""
    value, low, high = (100 * row[f"{measure}{end}"] for end in ("", "_low", "_high"))
    digits = 0 if abs(value) >= 1 else 1
    return f"{value:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]"


def _last(evidence: Evidence, network: str, view: str, control: str = "") -> Row:
    layers = evidence.layers
    rows = layers[(layers.network == network) & (layers.view == view) & (layers.control == control) & layers["last"]]
    return rows.iloc[0].to_dict()


def _seeds(evidence: Evidence) -> list[str]:
    """The endings of network names: the bundled ones first, then each seed."""
    found = sorted(seed for seed in set(evidence.layers.seed) if seed != "bundled")
    return ["", *(f" seed {seed}" for seed in found)]


def _c1(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    for network in ("srresnet-wgr", "srgan-wgr"):
        row = _last(evidence, network, view)
        holds = above(row, row, "degradation_share", "photo_share")
        shares = f"degradation {percent(row, 'degradation_share')}, photograph {percent(row, 'photo_share')}"
        cases.append(Case(f"{network}: degradation above photograph", holds, shares))
    row, random, pixels = (_last(evidence, CLASSIFIER, view, control) for control in ("", "random_weights", "pixels"))
    holds = above(row, row, "photo_share", "degradation_share") and above(row, pixels, "photo_share")
    shares = (
        f"photograph {percent(row, 'photo_share')}, degradation {percent(row, 'degradation_share')}; "
        f"photograph in the pixels {percent(pixels, 'photo_share')}, with random weights {percent(random, 'photo_share')}"
    )
    return [
        *cases,
        Case(f"{CLASSIFIER}: photograph above degradation, and above the pixels' photograph", holds, shares),
    ]


def _c2(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    for seed in _seeds(evidence):
        with_it, without = (_last(evidence, f"srresnet-{kind}{seed}", view) for kind in ("wgr", "wogr"))
        random = _last(evidence, f"srresnet-wgr{seed}", view, "random_weights")
        holds = above(with_it, without, "degradation_share") and above(with_it, random, "degradation_share")
        shares = (
            f"with {percent(with_it, 'degradation_share')}, without {percent(without, 'degradation_share')}, "
            f"random weights {percent(random, 'degradation_share')}"
        )
        cases.append(Case(f"{_of(seed)}: with global residual above without and above random weights", holds, shares))
        if seed:
            cases.append(_matched(evidence, psnr, view, seed, without))
    return cases


def _matched(evidence: Evidence, psnr: Mapping[str, float], view: str, seed: str, without: Row) -> Case:
    """The same at equal quality: against the checkpoint with global residual that is as good as the final network without."""
    name = f"{_of(seed)}: the same at matched PSNR"
    target = psnr[f"srresnet-wogr{seed}"]
    kept = evidence.checkpoints
    kept = kept[(kept.network == f"srresnet-wgr{seed}") & (kept.view == view)]
    nearest = kept.iloc[(kept.psnr - target).abs().argmin()].to_dict()
    said = f"without {target:.2f} dB, nearest with {nearest['psnr']:.2f} dB at step {nearest['step']:.0f}"
    if abs(nearest["psnr"] - target) > MATCHED_WITHIN:
        return Case(name, None, f"{said}: not within {MATCHED_WITHIN} dB")
    shares = f"with {percent(nearest, 'degradation_share')}, without {percent(without, 'degradation_share')}"
    return Case(name, above(nearest, without, "degradation_share"), f"{said}; {shares}")


def _c3(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    for seed in _seeds(evidence):
        gan, pixel = (_last(evidence, f"{family}-wogr{seed}", view) for family in ("srgan", "srresnet"))
        random = _last(evidence, f"srgan-wogr{seed}", view, "random_weights")
        more = above(gan, pixel, "degradation_share") and above(gan, random, "degradation_share")
        less = above(pixel, gan, "content_share")
        shares = (
            f"degradation {percent(gan, 'degradation_share')} after {percent(pixel, 'degradation_share')}, random weights "
            f"{percent(random, 'degradation_share')}; content {percent(gan, 'content_share')} after {percent(pixel, 'content_share')}"
        )
        what = "without global residual, adversarial above pixel loss and random weights, content below"
        cases.append(Case(f"{_of(seed)}: {what}", more and less, shares))
        gan = _last(evidence, f"srgan-wgr{seed}", view)
        random = _last(evidence, f"srgan-wgr{seed}", view, "random_weights")
        shares = f"{percent(gan, 'degradation_share')}, random weights {percent(random, 'degradation_share')}"
        holds = above(gan, random, "degradation_share")
        cases.append(Case(f"{_of(seed)}: with global residual, adversarial above random weights", holds, shares))
    return cases


def _c4(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    paths = evidence.paths[(evidence.paths["view"] == view) & (evidence.paths.control == "")]
    pixels = evidence.paths[(evidence.paths["view"] == view) & (evidence.paths.control == "pixels")]
    for network in ("srresnet-wgr", "srgan-wgr"):
        for family in LEVELS:
            path = paths[(paths.network == network) & (paths.family == family)].iloc[0]
            interval = f"Spearman {path.spearman:.2f} [{path.spearman_low:.2f}, {path.spearman_high:.2f}]"
            in_pixels = pixels[pixels.family == family].iloc[0].spearman
            said = f"{interval} over {len(path.levels)} levels, n = {path.n}; in the pixels {in_pixels:.2f}"
            holds = bool(path.spearman_low > CLEAR_ORDER) if path.spearman_low == path.spearman_low else None
            cases.append(Case(f"{network}, {family}: Spearman's interval above {CLEAR_ORDER}", holds, said))
    return cases


def _c5(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    layers = evidence.layers[(evidence.layers.view == view) & (evidence.layers.control == "")]
    for seed in _seeds(evidence):
        for family in ("srresnet", "srgan"):
            rows = layers[layers.network == f"{family}-wgr{seed}"]
            first, last = (rows.iloc[index].to_dict() for index in (0, -1))
            order = _order(rows.depth, rows.degradation_share)
            holds = above(last, first, "degradation_share") and order > CLEAR_ORDER
            shares = (
                f"first block {percent(first, 'degradation_share')}, last HR layer {percent(last, 'degradation_share')}"
            )
            what = f"last HR layer above the first block, Spearman of share and depth above {CLEAR_ORDER}"
            cases.append(
                Case(f"{_of(seed)}, {family}-wgr: {what}", holds, f"{shares}; Spearman {order:.2f}, {len(rows)} layers")
            )
    return cases


def _c6(evidence: Evidence, psnr: Mapping[str, float], view: str) -> list[Case]:
    cases = []
    kept = evidence.checkpoints[evidence.checkpoints.view == view]
    for seed in _seeds(evidence)[1:]:
        rows = kept[kept.network == f"srresnet-wgr{seed}"].sort_values("step")
        first, last = (rows.iloc[index].to_dict() for index in (0, -1))
        order = _order(rows.step, rows.degradation_share)
        holds = above(last, first, "degradation_share") and order > CLEAR_ORDER
        shares = f"untrained {percent(first, 'degradation_share')}, step {last['step']:.0f} {percent(last, 'degradation_share')}"
        what = f"last checkpoint above the untrained network, Spearman of share and step above {CLEAR_ORDER}"
        cases.append(
            Case(
                f"{_of(seed)}, srresnet-wgr: {what}", holds, f"{shares}; Spearman {order:.2f}, {len(rows)} checkpoints"
            )
        )
    return cases


def _order(one: pd.Series, other: pd.Series) -> float:
    """Spearman's correlation; 0 where one of them never changes."""
    return float(spearmanr(one, other).statistic) if min(one.nunique(), other.nunique()) > 1 else 0.0


def _of(seed: str) -> str:
    return seed.strip() or "bundled"


CLAIMS = {
    "C1": Statement(
        "SR features gather by degradation; classification features by content.",
        "SR networks with global residual: degradation share above the photograph's; the classifier: the reverse, and its "
        "photograph share above that of the pixels.",
        _c1,
    ),
    "C2": Statement(
        "Trained with a pixel loss, a network does this only if it has a global residual.",
        "Degradation share with global residual above that without and above random weights; for each seed also between the network "
        f"without and the checkpoint with global residual of the same PSNR (within {MATCHED_WITHIN} dB, else not decided).",
        _c2,
    ),
    "C3": Statement(
        "Trained adversarially, a network does it with or without global residual.",
        "Without global residual: degradation share after the adversarial stage above that before and above random weights, content "
        "share below; with global residual: above random weights.",
        _c3,
    ),
    "C4": Statement(
        "Degrees of one degradation lie on a continuous path: the further apart the degrees, the further apart the points.",
        f"Spearman's correlation of the distances of levels and of their centroids in PCA-50: interval above {CLEAR_ORDER}, for blur, "
        "noise and JPEG in both networks with global residual.",
        _c4,
    ),
    "C5": Statement(
        "It strengthens with depth.",
        f"Degradation share at the last HR layer above that of the first block, rank correlation with depth above {CLEAR_ORDER}.",
        _c5,
    ),
    "C6": Statement(
        "It emerges during training.",
        "Degradation share at the last checkpoint above that of the untrained network, rank correlation with the step "
        f"above {CLEAR_ORDER}.",
        _c6,
    ),
}
