"""The rules by which the claims are judged: from the evidence, in one view, to the cases of each claim."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
from scipy.stats import spearmanr

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.study import Case, Evidence
from ddrscope.study.settings import CLASSIFIER, LEVELS

# Largest difference in PSNR (dB) between the checkpoint with global residual and the network without.
MATCHED_WITHIN = 0.1
# The smallest rank correlation that counts as a clear order.
CLEAR_ORDER = 0.7

DEGRADATION, CONTENT, PHOTO = "degradation_share", "content_share", "photo_share"


def clustering_by_degradation(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C1."""
    cases = []
    for network in ("srresnet-wgr", "srgan-wgr"):
        degradation, photo = (_last(evidence, network, view, measure) for measure in (DEGRADATION, PHOTO))
        shares = f"degradation {degradation.percent()}, photograph {photo.percent()}"
        cases.append(Case(f"{network}: degradation above photograph", degradation.is_above(photo), shares))
    degradation, photo = (_last(evidence, CLASSIFIER, view, measure) for measure in (DEGRADATION, PHOTO))
    pixels, random = (_last(evidence, CLASSIFIER, view, PHOTO, control) for control in ("pixels", "random_weights"))
    shares = (
        f"photograph {photo.percent()}, degradation {degradation.percent()}; "
        f"photograph in the pixels {pixels.percent()}, with random weights {random.percent()}"
    )
    name = f"{CLASSIFIER}: photograph above degradation, and above the pixels' photograph"
    return [*cases, Case(name, photo.is_above(degradation) and photo.is_above(pixels), shares)]


def global_residual(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C2."""
    cases = []
    for seed in _seeds(evidence):
        with_residual, without = (
            _last(evidence, f"srresnet-{kind}{seed}", view, DEGRADATION) for kind in ("wgr", "wogr")
        )
        random = _last(evidence, f"srresnet-wgr{seed}", view, DEGRADATION, "random_weights")
        holds = with_residual.is_above(without) and with_residual.is_above(random)
        shares = f"with {with_residual.percent()}, without {without.percent()}, random weights {random.percent()}"
        cases.append(Case(f"{_name(seed)}: with global residual above without and above random weights", holds, shares))
        if seed:
            cases.append(_matched(evidence, view, seed, without))
    return cases


def _matched(evidence: Evidence, view: str, seed: str, without: Estimate) -> Case:
    """The same at equal quality: the final network without, and the checkpoint with global residual of nearest PSNR."""
    name = f"{_name(seed)}: the same at matched PSNR"
    target = evidence.psnr[f"srresnet-wogr{seed}"]
    rows = _checkpoints(evidence, f"srresnet-wgr{seed}", view)
    nearest = rows.iloc[int((rows.psnr - target).abs().argmin())]
    quality = f"without {target:.2f} dB, nearest with {nearest['psnr']:.2f} dB at step {nearest['step']:.0f}"
    if abs(nearest["psnr"] - target) > MATCHED_WITHIN:
        return Case(name, None, f"{quality}: not within {MATCHED_WITHIN} dB")
    with_residual = _estimate(nearest, DEGRADATION)
    shares = f"with {with_residual.percent()}, without {without.percent()}"
    return Case(name, with_residual.is_above(without), f"{quality}; {shares}")


def adversarial_training(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C3."""
    cases = []
    for seed in _seeds(evidence):
        (gan, pixel), (gan_content, pixel_content) = (
            [_last(evidence, f"{family}-wogr{seed}", view, measure) for family in ("srgan", "srresnet")]
            for measure in (DEGRADATION, CONTENT)
        )
        random = _last(evidence, f"srgan-wogr{seed}", view, DEGRADATION, "random_weights")
        shares = (
            f"degradation {gan.percent()} after {pixel.percent()}, random weights {random.percent()}; "
            f"content {gan_content.percent()} after {pixel_content.percent()}"
        )
        holds = gan.is_above(pixel) and gan.is_above(random) and pixel_content.is_above(gan_content)
        name = "without global residual, adversarial above pixel loss and random weights, content below"
        cases.append(Case(f"{_name(seed)}: {name}", holds, shares))

        gan = _last(evidence, f"srgan-wgr{seed}", view, DEGRADATION)
        random = _last(evidence, f"srgan-wgr{seed}", view, DEGRADATION, "random_weights")
        shares = f"{gan.percent()}, random weights {random.percent()}"
        name = "with global residual, adversarial above random weights"
        cases.append(Case(f"{_name(seed)}: {name}", gan.is_above(random), shares))
    return cases


def level_paths(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C4."""
    cases = []
    paths = evidence.paths[evidence.paths["view"] == view]
    for network in ("srresnet-wgr", "srgan-wgr"):
        for family in LEVELS:
            rows = paths[paths.family == family]
            path = rows[(rows.control == "") & (rows.network == network)].iloc[0]
            pixels = rows[rows.control == "pixels"].iloc[0].spearman
            cases.append(path_case(path, pixels))
    return cases


def path_case(path: pd.Series, pixels: float) -> Case:
    """Whether the levels of one degradation form a path in one network.

    Args:
        path: A row of `Evidence.paths`.
        pixels: Spearman's correlation of the pixels.
    """
    spearman = _estimate(path, "spearman")
    numbers = f"Spearman {spearman} over {len(path.levels)} levels, n = {path.n}; in the pixels {pixels:.2f}"
    holds = spearman.low > CLEAR_ORDER if spearman.has_interval else None
    return Case(f"{path.network}, {path.family}: Spearman's interval above {CLEAR_ORDER}", holds, numbers)


def depth(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C5."""
    cases = []
    layers = evidence.layers[(evidence.layers["view"] == view) & (evidence.layers.control == "")]
    for seed in _seeds(evidence):
        for family in ("srresnet", "srgan"):
            rows = layers[layers.network == f"{family}-wgr{seed}"]
            cases.append(depth_case(rows, f"{_name(seed)}, {family}-wgr"))
    return cases


def depth_case(rows: pd.DataFrame, network: str) -> Case:
    """Whether the degradation share of one network grows with depth.

    Args:
        rows: Its layers in one view, in forward order: rows of `Evidence.layers`.
        network: What the case is called.
    """
    first, last = (_estimate(rows.iloc[index], DEGRADATION) for index in (0, -1))
    order = _order(rows.depth, rows.degradation_share)
    shares = f"first block {first.percent()}, last HR layer {last.percent()}"
    name = f"last HR layer above the first block, Spearman of share and depth above {CLEAR_ORDER}"
    numbers = f"{shares}; Spearman {order:.2f}, {len(rows)} layers"
    return Case(f"{network}: {name}", last.is_above(first) and order > CLEAR_ORDER, numbers)


def training(evidence: Evidence, view: str) -> list[Case]:
    """The cases of C6."""
    cases = []
    for seed in _seeds(evidence)[1:]:
        rows = _checkpoints(evidence, f"srresnet-wgr{seed}", view).sort_values("step")
        first, last = (_estimate(rows.iloc[index], DEGRADATION) for index in (0, -1))
        order = _order(rows.step, rows.degradation_share)
        shares = f"untrained {first.percent()}, step {rows.step.iloc[-1]:.0f} {last.percent()}"
        name = f"last checkpoint above the untrained network, Spearman of share and step above {CLEAR_ORDER}"
        cases.append(
            Case(
                f"{_name(seed)}, srresnet-wgr: {name}",
                last.is_above(first) and order > CLEAR_ORDER,
                f"{shares}; Spearman {order:.2f}, {len(rows)} checkpoints",
            )
        )
    return cases


def _last(evidence: Evidence, network: str, view: str, measure: str, control: str = "") -> Estimate:
    """A measure of the last HR layer of a network or of one of its controls."""
    layers = evidence.layers
    chosen = (layers.network == network) & (layers["view"] == view) & (layers.control == control) & layers["last"]
    return _estimate(layers[chosen].iloc[0], measure)


def _checkpoints(evidence: Evidence, network: str, view: str) -> pd.DataFrame:
    rows = evidence.checkpoints
    return rows[(rows.network == network) & (rows["view"] == view)]


def _estimate(row: pd.Series, measure: str) -> Estimate:
    return Estimate.from_columns(cast(dict[str, Any], row.to_dict()), measure)


def _seeds(evidence: Evidence) -> list[str]:
    """The endings of the names of networks: that of the bundled ones, then of each seed."""
    seeds = sorted(seed for seed in set(evidence.layers.seed) if seed != "bundled")
    return ["", *(f" seed {seed}" for seed in seeds)]


def _order(xs: pd.Series, ys: pd.Series) -> float:
    """Spearman's correlation; 0 where one of them never changes."""
    return float(spearmanr(xs, ys).statistic) if min(xs.nunique(), ys.nunique()) > 1 else 0.0


def _name(seed: str) -> str:
    return seed.strip() or "bundled"
