"""The schedule of the learning rate."""

from __future__ import annotations

import math


def warmup_cosine(step: int, steps: int, highest: float, warmup: int) -> float:
    """A rate that rises linearly to ``highest`` and falls along half a cosine to zero at the last step.

    Args:
        step: Number of the step, from 0.
        steps: Number of steps.
        highest: The highest rate.
        warmup: Steps over which it rises.
    """
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
