"""Recipes of `ddrscope train`: TOML whose degradations are random pipelines.

A pipeline acts on the HR image, is shrunk bicubically and acts on the LR image; which family acts where is fixed. Its
numbers are uniform between two ends, and each LR patch gets one pipeline of a list, all equally often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ddrscope.degradations import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.recipe import ENDS, DegradationRecipe, Spread, weighted_quantiles
from ddrscope.degradations.registry import find_family
from ddrscope.errors import InputError
from ddrscope.matching.configs.common import RANGES, UNIFORM, Config, assignments, make_config, percent
from ddrscope.matching.configs.uses import varied_spread

_SCALES = (1, 2, 3, 4)
# The list is drawn from evenly, so a pipeline has the probability of its number of entries.
_ENTRIES = 20
# Numbers of these families that are lengths in pixels.
_LENGTHS = {
    "blur": ("level",), "aniso_blur": ("level", "across"), "lens_blur": ("level",), "motion_blur": ("level",),
    "ringing": ("level",),
}  # fmt: skip
_SIGMAS = ("noise", "color_noise", "speckle", "camera_noise")


@dataclass
class _Losses:
    """The weight of the chains in which something is not expressed, by sentence."""

    weights: dict[str, float] = field(default_factory=dict)

    def add(self, sentence: str, weight: float) -> None:
        self.weights[sentence] = self.weights.get(sentence, 0.0) + weight

    def sentences(self) -> list[str]:
        return [f"{sentence} ({percent(min(weight, 1.0))} of images)." for sentence, weight in self.weights.items()]


def training_recipe(recipe: DegradationRecipe) -> Config:
    """The recipe for `ddrscope train`.

    Raises:
        InputError: The scale is not one of those that can be trained.
    """
    if recipe.scale not in _SCALES:
        raise InputError(
            f"a recipe of scale {recipe.scale} cannot be trained here: use one of {', '.join(map(str, _SCALES))}, "
            "or another target"
        )
    losses = _Losses()
    groups: dict[tuple[object, ...], list[tuple[float, tuple[Degradation, ...]]]] = {}
    for chain, weight in zip(recipe.chains, recipe.weights.tolist(), strict=True):
        if weight > 0:
            steps = _pipeline(chain, recipe.scale, weight, losses)
            groups.setdefault(tuple(map(_kind, steps)), []).append((weight, steps))
    totals = [sum(weight for weight, _ in rows) for rows in groups.values()]
    counts = [round(_ENTRIES * total) for total in totals]
    if not any(counts):
        counts[totals.index(max(totals))] = 1
    texts = [_text(rows, recipe.vary) for rows in groups.values()]
    lost = [*losses.sentences(), *_shares_lost(texts, totals, counts)]
    if len(recipe.chains) > 1 or recipe.vary:
        lost.append(UNIFORM)
    entries = [text for text, count in zip(texts, counts, strict=True) for _ in range(count // math.gcd(*counts))]
    lines = assignments({"base": "compact", "scale": recipe.scale, "degradations": entries})
    notes = ["Run: ddrscope train ddrscope.toml --images path/to/hr", RANGES]
    return make_config("ddrscope.toml", "`ddrscope train`", notes, lost, lines)


def _pipeline(chain: DegradationChain, scale: int, weight: float, losses: _Losses) -> tuple[Degradation, ...]:
    """A chain as steps on the HR image followed by steps on the LR image."""
    last = chain.steps[chain.shrink]
    assert isinstance(last, Resizing)
    if last.interpolation != "bicubic":
        losses.add(f"The LR size is made by bicubic interpolation, not {last.interpolation}", weight)
    early: list[Degradation] = []
    late: list[Degradation] = []
    # The size of the image that a step acts on, as a share of the HR size.
    size, is_early = 1.0, True
    for index, step in enumerate(chain.steps):
        if index == chain.shrink:
            size, is_early = 1 / scale, False
        elif isinstance(step, Resizing):
            size = step.share
            late += _resampled(step, scale, weight, losses)
        elif step.stage == "before":
            if not is_early or late:
                losses.add(f"{step.family} acts on the HR image, before all else", weight)
            early.append(_scaled(step, _LENGTHS[step.family], 1 / size))
        else:
            if is_early:
                losses.add(f"{step.family} acts on the LR image, not before the last resizing{_strength(step)}", weight)
            late.append(_averaged(step, size * scale))
    return (*early, *late)


def _resampled(step: Resizing, scale: int, weight: float, losses: _Losses) -> list[Degradation]:
    factor = 1 / (scale * step.share)
    if factor <= 1:
        losses.add("An intermediate size above the LR size is left out", weight)
        return []
    losses.add("An intermediate size below the LR size is resample at the LR size", weight)
    return [find_family("resample")(factor, step.interpolation)]  # type: ignore[call-arg]


def _strength(step: Degradation) -> str:
    return ", as strong as shrinking leaves it" if step.family in (*_SIGMAS, "poisson") else ""


def _averaged(step: Degradation, ratio: float) -> Degradation:
    """Noise as strong as it is after shrinking by ``ratio``, which averages it."""
    if ratio <= 1:
        return step
    if step.family in _SIGMAS:
        return _scaled(step, ("level",), 1 / ratio)
    return _scaled(step, ("level",), ratio**2) if step.family == "poisson" else step


def _scaled(step: Degradation, names: Sequence[str], factor: float) -> Degradation:
    # Lengths of one family have one range.
    allowed = step.level_range()
    return replace(step, **{name: min(max(getattr(step, name) * factor, allowed.low), allowed.high) for name in names})


def _kind(step: Degradation) -> tuple[str, ...]:
    """What pipelines in one text must share: the family and its words."""
    values = (getattr(step, item.name) for item in fields(step))
    # A random angle and a given one are not two ends of a range.
    is_random = "random" if getattr(step, "angle", None) == -1 and step.family == "motion_blur" else ""
    return (step.family, is_random, *(value for value in values if isinstance(value, str)))


def _text(rows: Sequence[tuple[float, tuple[Degradation, ...]]], vary: float) -> str:
    """One random pipeline for chains of the same families."""
    weights = np.array([weight for weight, _ in rows])
    parts = []
    for steps in zip(*(steps for _, steps in rows), strict=True):
        values: list[str] = []
        for item in fields(steps[0]):
            value = getattr(steps[0], item.name)
            if isinstance(value, str):
                values.append(value)
                continue
            numbers = np.array([getattr(step, item.name) for step in steps], float)
            spread = Spread(*weighted_quantiles(numbers, weights, ENDS))
            if item.name == "level":
                spread = varied_spread(steps[0].family, spread, vary)
            low, high = (_number(end, isinstance(value, int)) for end in (spread.low, spread.high))
            values.append(low if low == high else f"{low}..{high}")
        parts.append(f"{steps[0].family}:{','.join(values)}")
    return "+".join(parts) or "clean"


def _number(value: float, is_whole: bool) -> str:
    return str(round(value)) if is_whole else f"{value:.3f}".rstrip("0").rstrip(".")


def _shares_lost(texts: Sequence[str], totals: Sequence[float], counts: Sequence[int]) -> list[str]:
    lost = []
    rare = sum(total for total, count in zip(totals, counts, strict=True) if not count)
    if rare:
        lost.append(
            f"Sequences of steps that are rarer than one in {2 * _ENTRIES} are left out: {percent(rare)} of images."
        )
    for text, total, count in zip(texts, totals, counts, strict=True):
        share = count / sum(counts)
        if count and abs(share - total) > 0.01:
            lost.append(f"{text} has probability {percent(share)}, not {percent(total)}.")
    return lost
