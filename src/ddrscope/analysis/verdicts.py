"""Whether the features of a network cluster by degradation or by content, by a rule fixed in advance.

The answer for the last HR layer compares the 95 % intervals of the degradation share and the content share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ddrscope.metrics.estimate import Estimate, format_percent
from ddrscope.results.analysis import Answer, Comparison, Verdict
from ddrscope.results.analyzed_networks import AnalyzedNetwork, Control, NetworkSummary
from ddrscope.results.layers import LayerMeasures, in_view, views_of

# Shares whose whole intervals lie below this count as none.
NEGLIGIBLE_SHARE = 0.02

ANSWERS: dict[Answer, str] = {
    "degradation": "cluster by degradation",
    "content": "cluster by content",
    "undecided": "cluster neither clearly by degradation nor clearly by content",
    "neither": "cluster neither by degradation nor by content",
}


def answer(layer: LayerMeasures) -> Answer:
    """Which share of a layer is larger.

    Returns:
        ``degradation`` or ``content`` where the whole interval of that share lies above that of the other,
        ``neither`` where both lie below `NEGLIGIBLE_SHARE`, else ``undecided``.
    """
    degradation, content = layer.degradation_share, layer.content_share
    if degradation.high < NEGLIGIBLE_SHARE and content.high < NEGLIGIBLE_SHARE:
        return "neither"
    if degradation.is_above(content):
        return "degradation"
    return "content" if content.is_above(degradation) else "undecided"


def verdicts(
    networks: Sequence[AnalyzedNetwork], controls: Sequence[Control], balanced: bool, content_groups: int = 0
) -> tuple[Verdict, ...]:
    """The verdict for each network and view.

    Args:
        networks: The networks.
        controls: Their controls, of which those of random weights are quoted.
        balanced: Whether there are variance shares. For sets of different images only k-NN accuracy is available.
        content_groups: Number of content groups; the classes where these are folders.
    """
    result = []
    for network in networks:
        for view in views_of(network.layers):
            layers = in_view(network.layers, view)
            random = [
                layer
                for control in controls
                if control.kind == "random_weights" and control.network == network.name
                for layer in in_view(control.layers, view)
            ]
            result.append(
                _verdict(network.summary, layers, random[-1] if random else None, content_groups)
                if balanced
                else _sets_verdict(network.name, layers)
            )
    return tuple(result)


def comparisons(networks: Sequence[AnalyzedNetwork], balanced: bool) -> tuple[Comparison, ...]:
    """The networks ranked, in each view, by how much their last HR layer clusters by degradation.

    The sentence calls neighbours in the ranking different only where their intervals do not overlap.

    Args:
        networks: The networks; there is no comparison of fewer than two.
        balanced: Whether to rank by degradation share, or else by k-NN accuracy.
    """
    if len(networks) < 2:
        return ()
    result = []
    for view in views_of(networks[0].layers):
        last = {network.name: _ranked_by(in_view(network.layers, view)[-1], balanced) for network in networks}
        ranking = sorted(last, key=lambda name: _sortable(last[name]), reverse=True)
        parts = [f"{ranking[0]} ({last[ranking[0]].percent()})"]
        for better, name in pairwise(ranking):
            relation = "above" if last[better].is_above(last[name]) else "not distinguishable from"
            parts.append(f"{relation} {name} ({last[name].percent()})")
        measure = "degradation share" if balanced else "held-out 5-NN accuracy"
        sentence = f"Ranking by {measure} of the {view} features at the last HR layer: {', '.join(parts)}."
        result.append(Comparison(view, tuple(ranking), sentence))
    return tuple(result)


def _verdict(
    summary: NetworkSummary, layers: Sequence[LayerMeasures], random: LayerMeasures | None, content_groups: int
) -> Verdict:
    network, last = summary.name, layers[-1]
    highest = max(layers, key=lambda layer: _sortable(layer.degradation_share))
    last_answer = answer(last)
    sentence = (
        f"{network}: the {last.view} features of {_named(summary)} {ANSWERS[last_answer]}: degradation share "
        f"{_share(last.degradation_share)}, content share {_share(last.content_share)}, held-out 5-NN accuracy "
        f"{format_percent(last.knn_accuracy.value)} (chance {format_percent(1 / last.k)}), n = {last.n}."
    )
    if last.class_share:
        sentence += f" The class share, of {content_groups} folders, is {_share(last.class_share)}."
    if highest is not last:
        sentence += f" The degradation share is highest at {highest.layer}: {_share(highest.degradation_share)}."
    if random:
        sentence += f" With random weights it is {_share(random.degradation_share)} at the last HR layer."
    return Verdict(network, last.view, last_answer, highest.layer, sentence)


def _sets_verdict(network: str, layers: Sequence[LayerMeasures]) -> Verdict:
    """For sets of different images, which may differ in degradation or in content."""
    last, chance = layers[-1], 1 / layers[-1].k
    highest = max(layers, key=lambda layer: _sortable(layer.knn_accuracy))
    apart = last.knn_accuracy.low > chance
    verb = "distinguish" if apart else "do not clearly distinguish"
    sentence = (
        f"{network}: the {last.view} features of the last HR layer {verb} the sets: held-out 5-NN accuracy "
        f"{last.knn_accuracy.percent()} (chance {format_percent(chance)}), n = {last.n}. The sets contain different "
        "images, so they may differ in degradation or in content; shares and p-values are left out."
    )
    return Verdict(network, last.view, "degradation" if apart else "undecided", highest.layer, sentence)


def _named(summary: NetworkSummary) -> str:
    """The last HR layer with its name and size."""
    size = f", of {summary.last_hr_layer_size} size" if summary.last_hr_layer_size else ""
    return f"the last HR layer ({summary.last_hr_layer}{size})"


def _ranked_by(layer: LayerMeasures, balanced: bool) -> Estimate:
    return layer.degradation_share if balanced else layer.knn_accuracy


def _sortable(estimate: Estimate) -> float:
    """Layers that never vary have no measure; they come last."""
    return -math.inf if math.isnan(estimate.value) else estimate.value


def _share(share: Estimate) -> str:
    missing = not share.has_interval and not math.isnan(share.value)
    return share.percent() + (" (too few photographs for an interval)" if missing else "")
