"""Does a network cluster by degradation or by content, where, how sure: the answer in a sentence, by a rule fixed beforehand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

# A share whose whole interval lies below this is called nothing.
NEGLIGIBLE_SHARE = 0.02

ANSWERS = {
    "degradation": "clusters by degradation",
    "content": "clusters by content",
    "undecided": "clusters by neither degradation nor content clearly more than by the other",
    "neither": "clusters by neither degradation nor content",
}


def verdicts(networks: list[dict[str, Any]], controls: list[dict[str, Any]], balanced: bool) -> list[dict[str, Any]]:
    """One entry of ``verdicts[]`` for each network and view."""
    found = []
    for network in networks:
        for view in dict.fromkeys(row["view"] for row in network["layers"]):
            rows = [row for row in network["layers"] if row["view"] == view]
            random = [
                row
                for control in controls
                if control["kind"] == "random_weights" and control["network"] == network["name"]
                for row in control["layers"]
                if row["view"] == view
            ]
            found.append(
                _verdict(network["name"], view, rows, random)
                if balanced
                else _sets_verdict(network["name"], view, rows)
            )
    return found


def comparisons(networks: list[dict[str, Any]], balanced: bool) -> list[dict[str, Any]]:
    """One entry of ``comparisons[]`` for each view: the networks ranked by how much their last HR layer clusters by degradation.

    Neighbours in the ranking are told apart only when their intervals do not overlap.
    """
    if len(networks) < 2:
        return []
    key, what = (
        ("degradation_share", "variance that follows the degradation")
        if balanced
        else ("knn_accuracy", "5-NN accuracy")
    )
    found = []
    for view in dict.fromkeys(row["view"] for row in networks[0]["layers"]):
        last = [(entry["name"], [row for row in entry["layers"] if row["view"] == view][-1]) for entry in networks]
        ranked = sorted(last, key=lambda pair: _known(pair[1][key]), reverse=True)
        parts = [f"{ranked[0][0]} ({_with_interval(ranked[0][1], key)})"]
        for (_, better), (name, row) in pairwise(ranked):
            apart = better[f"{key}_low"] > row[f"{key}_high"]
            parts.append(f"{'more than' if apart else 'not told apart from'} {name} ({_with_interval(row, key)})")
        sentence = f"Ranked by degradation at the last HR layer, {view} features ({what}): {', '.join(parts)}."
        found.append({"view": view, "ranking": [name for name, _ in ranked], "sentence": sentence})
    return found


def answer(row: dict[str, Any]) -> str:
    """Which share's interval lies above the other's: ``degradation`` or ``content``; ``undecided`` if they overlap.

    ``neither`` when both lie wholly below `NEGLIGIBLE_SHARE`.
    """
    if max(row["degradation_share_high"], row["content_share_high"]) < NEGLIGIBLE_SHARE:
        return "neither"
    if row["degradation_share_low"] > row["content_share_high"]:
        return "degradation"
    if row["content_share_low"] > row["degradation_share_high"]:
        return "content"
    return "undecided"


def _verdict(network: str, view: str, rows: list[dict[str, Any]], random: list[dict[str, Any]]) -> dict[str, Any]:
    last = rows[-1]
    strongest = max(rows, key=lambda row: _known(row["degradation_share"]))
    sentence = (
        f"{network} {ANSWERS[answer(last)]} at its last HR layer: {_share(last, 'degradation')} of the variance of its {view} features "
        f"follows the degradation, {_share(last, 'content')} the content; "
        f"{_accuracy(last, 'degradation', _percent(last['knn_accuracy']))}; n = {last['n']})."
    )
    if strongest is not last:
        sentence += f" Degradation shows most at {strongest['layer']}: {_share(strongest, 'degradation')}."
    if random:
        sentence += f" With random weights the last HR layer gives {_share(random[-1], 'degradation')}."
    return {"network": network, "view": view, "answer": answer(last), "layer": strongest["layer"], "sentence": sentence}


def _sets_verdict(network: str, view: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """For sets of different images, where content and degradation cannot be told apart: only whether the sets are."""
    last = rows[-1]
    strongest = max(rows, key=lambda row: _known(row["knn_accuracy"]))
    chance = 1 / last["k"]
    apart = last["knn_accuracy_low"] > chance
    sentence = (
        f"{network} {'tells the sets apart' if apart else 'does not clearly tell the sets apart'} at its last HR layer ({view} features): "
        f"{_accuracy(last, 'set', _with_interval(last, 'knn_accuracy'))}; n = {last['n']}). "
        "The sets hold different images, so this may be degradation or content; shares and p-values are left out."
    )
    return {
        "network": network,
        "view": view,
        "answer": "degradation" if apart else "undecided",
        "layer": strongest["layer"],
        "sentence": sentence,
    }


def _known(value: float) -> float:
    """A measure to compare by: what is not a number, as of a layer that never varies, comes last."""
    return -math.inf if math.isnan(value) else value


def _accuracy(row: dict[str, Any], what: str, value: str) -> str:
    """The accuracy in words, as far as a bracket that the caller closes."""
    chance = f"(chance {_percent(1 / row['k'])}"
    if math.isnan(row["knn_accuracy"]):
        return f"the accuracy of 5-NN on held-out photographs is not available {chance}"
    return f"5-NN names the {what} of images held out right in {value} of cases {chance}"


def _share(row: dict[str, Any], kind: str) -> str:
    return _with_interval(row, f"{kind}_share")


def _with_interval(row: dict[str, Any], key: str) -> str:
    value, low, high = (row[key + end] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return _percent(value)
    if math.isnan(low):
        return f"{_percent(value)} (too few photographs for an interval)"
    return f"{_percent(value)} [{_percent(low)}, {_percent(high)}]"


def _percent(value: float) -> str:
    if math.isnan(value):
        return "not available"
    # One decimal below one percent, so that a small share does not read as none; no minus before a zero.
    digits = 0 if abs(value) >= 0.01 else 1
    return f"{round(100 * value, digits) + 0.0:.{digits}f} %"
