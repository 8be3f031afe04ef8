"""From measurements to the result: scores with intervals, the ranking, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ddrscope.generalization.measurement import Measurement
from ddrscope.generalization.networks import ScoredNetwork
from ddrscope.generalization.plan import SetPlan
from ddrscope.generalization.ranking import psnr_correlation, rank_by_mean
from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.score import estimate, resampled_scores, srga
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.io.manifest import manifest
from ddrscope.metrics.generalized_gaussian import kl_divergence
from ddrscope.results.generalization import PsnrCorrelation, Score
from ddrscope.results.networks import NetworkInfo

RESIDUAL_NOTE = (
    "With a global residual a network writes what it removes into its last HR layer: on noise, those that remove more had larger scores "
    "(docs/generalization.md). Look at images before you trust such a ranking."
)


def summarize(
    settings: GeneralizationSettings,
    networks: Sequence[ScoredNetwork],
    plan: SetPlan,
    measurements: Mapping[tuple[str, str], Measurement],
) -> GeneralizationResult:
    """The result of a run.

    Args:
        settings: Settings of the run.
        networks: The networks.
        plan: The sets.
        measurements: What was measured, by network and set.
    """
    scores: list[Score] = []
    resampled: dict[tuple[str, str], NDArray[np.float64]] = {}
    for network in networks:
        reference = measurements[network.name, plan.reference]
        for name in plan.set_names:
            measurement = measurements[network.name, name]
            resamples = _resampled(reference, measurement, settings)
            scores.append(_score(network, name, reference, measurement, resamples))
            if resamples is not None and name != plan.reference:
                resampled[network.name, name] = resamples
    return GeneralizationResult(
        scores=tuple(scores),
        psnr_correlations={network.name: _correlation(network.name, plan.reference, scores) for network in networks},
        reference=plan.reference,
        networks=tuple(NetworkInfo.from_json(network.network.describe()) for network in networks),
        notes=_notes(networks, plan, scores),
        skipped=plan.skipped,
        manifest=manifest(settings.to_dict()),
        ranking=rank_by_mean(scores, resampled),
        resampled=resampled,
    )


def _resampled(
    reference: Measurement, measurement: Measurement, settings: GeneralizationSettings
) -> NDArray[np.float64] | None:
    if reference.coefficients is None or measurement.coefficients is None:
        return None
    return resampled_scores(reference.coefficients, measurement.coefficients, settings.resamples, settings.seed)


def _score(
    network: ScoredNetwork,
    name: str,
    reference: Measurement,
    measurement: Measurement,
    resamples: NDArray[np.float64] | None,
) -> Score:
    scale, floor = network.network.scale, reference.floor
    if resamples is None or reference.coefficients is None or measurement.coefficients is None:
        return Score(network.name, name, measurement.patches, network.layer, scale, floor, measurement.error)
    reference_fit, fit = reference.coefficients.fit(), measurement.coefficients.fit()
    score = float(srga(reference_fit, fit))
    return Score(
        network=network.name,
        set_name=name,
        patches=measurement.patches,
        layer=network.layer,
        scale=scale,
        floor=floor,
        srga=estimate(score, resamples),
        kl=float(kl_divergence(reference_fit, fit)),
        sigma=float(fit.sigma),
        shape=float(fit.shape),
        photos=len(measurement.coefficients.photos),
        distinguishable=score > floor,
        psnr=measurement.psnr,
        histogram=measurement.histogram,
    )


def _correlation(network: str, reference: str, scores: Sequence[Score]) -> PsnrCorrelation:
    rows = [score for score in scores if score.network == network and score.set_name != reference and not score.error]
    return psnr_correlation([score.srga.value for score in rows], [score.psnr for score in rows])


def _notes(networks: Sequence[ScoredNetwork], plan: SetPlan, scores: Sequence[Score]) -> tuple[str, ...]:
    notes = [f"{network.name}: {note}" for network in networks for note in network.network.notes]
    notes += plan.notes
    notes += [
        f"{score.network}, set {score.set_name}: {score.error}; the ranking leaves the set out."
        for score in scores
        if score.error
    ]
    if len(networks) > 1 and any(network.network.global_residual for network in networks):
        notes.append(RESIDUAL_NOTE)
    return tuple(notes)
