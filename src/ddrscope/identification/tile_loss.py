"""The loss by which a `TileNetwork` is trained."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.identification.head import QUANTILES
from ddrscope.identification.scales import SCALES, damage_of
from ddrscope.identification.tile_network import TileOutputs
from ddrscope.results.vocabulary import ESTIMATES, QUESTIONS

# How much each part counts.
WEIGHTS = {"presence": 1.0, "levels": 0.3, "estimates": 2.0, "damage": 0.5, "details": 0.2}


def tile_loss(outputs: TileOutputs, levels: Tensor, truths: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The loss of tiles, and its parts before they are weighted.

    Args:
        outputs: Of N tiles.
        levels: The level of each type, (N, T); 0 where it is absent, NaN where one cannot tell.
        truths: Rows of `Truth`, (N, M), NaN where something is not known.
    """
    count = len(ESTIMATES)
    damaged = damage_of(truths[:, :count])
    scaled = torch.stack([SCALES[name].forward(truths[:, i]) for i, name in enumerate(ESTIMATES)], 1)
    direction, answers = truths[:, count : count + 2], truths[:, count + 2 : count + 2 + len(QUESTIONS)]
    parts = {
        "presence": presence_loss(outputs.presence, levels),
        "levels": _pinball(outputs.levels, torch.where(levels > 0, levels, torch.nan)),
        "estimates": _pinball(outputs.estimates, scaled.masked_fill(damaged != 1, torch.nan)),
        "damage": _known(functional.binary_cross_entropy_with_logits, outputs.damage, damaged) * count,
        "details": _known(functional.mse_loss, outputs.direction, direction)
        + _known(functional.binary_cross_entropy_with_logits, outputs.answers, answers)
        + functional.cross_entropy(outputs.interpolation, truths[:, -1].long(), ignore_index=-1, reduction="sum")
        / max(1, int((truths[:, -1] >= 0).sum())),
    }
    total = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def presence_loss(logits: Tensor, levels: Tensor) -> Tensor:
    """Cross entropy of each type alone and of the types against each other, without those that one cannot tell."""
    unknown = levels.isnan()
    present = (levels > 0).float()
    clean = 1 - present.amax(1, keepdim=True)
    # A tile with a distortion that is perhaps there is neither clean nor not.
    clean_unknown = (clean > 0) & unknown.any(1, keepdim=True)
    present = torch.cat([clean, present], 1)
    known = ~torch.cat([clean_unknown, unknown], 1)
    separate = functional.binary_cross_entropy_with_logits(logits, present, reduction="none")
    separate = (separate * known).sum(1)
    exclusive = -logits.masked_fill(~known, -30.0).log_softmax(1)
    target = present * known
    exclusive = (exclusive * target).sum(1) / target.sum(1).clamp(min=1)
    return (separate / 5 + exclusive).mean()


def _pinball(quantiles: Tensor, values: Tensor) -> Tensor:
    """The pinball loss (N, K, 3) of values (N, K), the mean over those that are known."""
    known = ~values.isnan()
    error = values.nan_to_num()[..., None] - quantiles
    marks = quantiles.new_tensor(QUANTILES)
    loss = torch.maximum(marks * error, (marks - 1) * error).sum(2)
    return (loss * known).sum() / known.sum().clamp(min=1)


def _known(loss, outputs: Tensor, values: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    known = ~values.isnan()
    if not known.any():
        return outputs.sum() * 0
    result: Tensor = loss(outputs[known], values[known])
    return result
