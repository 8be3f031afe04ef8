"""What a training reports after each step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """What the loop reports after a step.

    Attributes:
        stage: Name of the stage.
        step: Number of the step, from 1.
        steps: Number of steps of the stage.
        loss: Loss of this step.
    """

    stage: str
    step: int
    steps: int
    loss: float
