"""Recipes: everything that decides what a training makes, typed and with defaults."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ddrscope.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """The settings of one training of an SRResNet with a pixel (L1) loss.

    Sizes are in pixels of the small (LR) picture, the learning rate falls from ``learning_rate`` to zero along half a cosine after
    ``warmup_steps``. ``average`` is the decay of the exponential moving average of the weights, which is what is kept.
    """

    global_residual: bool = True
    scale: int = 4
    channels: int = 64
    blocks: int = 16
    steps: int = 20_000
    batch: int = 8
    patch: int = 24
    learning_rate: float = 4e-4
    warmup_steps: int = 200
    average: float = 0.999
    seed: int = 0


RECIPES: dict[str, Recipe] = {
    # The paper's network at half its width: what two CPU cores train in about an hour and a half.
    "compact": Recipe(channels=32, blocks=16, steps=7_500, batch=8, patch=20, learning_rate=5e-4),
}


def make_recipe(name: str, **changes: Any) -> Recipe:
    """The named recipe with the given fields changed; ``None`` leaves a field as it is.

    Raises `InputError` for a name that is no recipe.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe is called {name!r}: choose one of {', '.join(RECIPES)}")
    return dataclasses.replace(RECIPES[name], **{key: value for key, value in changes.items() if value is not None})
