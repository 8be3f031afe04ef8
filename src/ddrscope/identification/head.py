"""The small network that reads a descriptor: which distortions are present, and at which level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# The level's quantiles that a head predicts: the ends of an 80 % interval and its middle.
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class HeadSettings:
    """How a head is fitted.

    Args:
        width: Of the two hidden layers.
        dropout: Share of hidden values that are dropped; half of it at the input.
        epochs: Passes over the data.
        batch: Descriptors in a batch.
        learning_rate: The peak of the one-cycle schedule of AdamW.
        weight_decay: Of AdamW.
    """

    width: int = 256
    dropout: float = 0.4
    epochs: int = 80
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05


class Head(nn.Module):
    """From descriptors to presence and levels.

    Args:
        size: The length K of a reduced descriptor.
        types: The number T of distortions.
        settings: How it is built and fitted.
    """

    def __init__(self, size: int, types: int, settings: HeadSettings) -> None:
        super().__init__()
        self.types = types
        layers: list[nn.Module] = [nn.Dropout(settings.dropout / 2)]
        for width in (size, settings.width):
            layers += [nn.Linear(width, settings.width), nn.GELU(), nn.Dropout(settings.dropout)]
        self.hidden = nn.Sequential(*layers)
        self.presence = nn.Linear(settings.width, 1 + types)
        self.level = nn.Linear(settings.width, types * len(QUANTILES))

    def forward(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Descriptors (N, K) to presence logits (N, 1 + T), clean first, and level quantiles (N, T, 3)."""
        hidden = self.hidden(descriptors)
        below, middle, above = self.level(hidden).unflatten(1, (self.types, len(QUANTILES))).unbind(2)
        # In order by construction: the middle, and the distances of the ends from it.
        quantiles = torch.stack([middle - functional.softplus(below), middle, middle + functional.softplus(above)], 2)
        return self.presence(hidden), quantiles


def fit_head(descriptors: Tensor, levels: Tensor, settings: HeadSettings, seed: int) -> Head:
    """Fit a head on the CPU; the same seed gives the same head.

    Args:
        descriptors: Reduced descriptors (N, K).
        levels: Levels (N, T) of each distortion, 0 where it is absent.
        settings: How to fit.
        seed: Of the weights and of the order of the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(descriptors.shape[1], levels.shape[1], settings)
        optimizer = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        batches = max(1, len(descriptors) // settings.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.learning_rate, total_steps=settings.epochs * batches, pct_start=0.1
        )
        for _ in range(settings.epochs):
            order = torch.randperm(len(descriptors), generator=generator)
            for rows in order.tensor_split(batches):
                logits, quantiles = head(descriptors[rows])
                loss = _loss(logits, quantiles, levels[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return head.eval()


def presence_of(levels: Tensor) -> Tensor:
    """Which of clean and the T types are present: levels (N, T) to zeros and ones (N, 1 + T)."""
    present = (levels > 0).float()
    return torch.cat([1 - present.amax(1, keepdim=True), present], 1)


def _loss(logits: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Cross entropy of each type alone and of the types against each other, and the pinball loss of the levels."""
    present = presence_of(levels)
    separate = functional.binary_cross_entropy_with_logits(logits, present) * present.shape[1]
    # Types exclude each other in most images, so this term is sharper than the first alone.
    exclusive = -(logits.log_softmax(1) * present / present.sum(1, keepdim=True)).sum(1).mean()
    error = levels[..., None] - quantiles
    marks = logits.new_tensor(QUANTILES)
    pinball = torch.maximum(marks * error, (marks - 1) * error).sum(2)
    return separate / 5 + exclusive + (pinball * present[:, 1:]).sum() / present[:, 1:].sum().clamp(min=1)
