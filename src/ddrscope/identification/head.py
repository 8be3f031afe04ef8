"""The small network that reads a descriptor: which distortions are present, and at what level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# The ends of an 80 % interval of the level, and its middle.
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class HeadSettings:
    """How a head is fitted: ``width`` of its two hidden layers, ``dropout`` share, ``passes`` over the data, and AdamW's settings."""

    width: int = 256
    dropout: float = 0.4
    passes: int = 80
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05


class Head(nn.Module):
    """Reduced descriptors (N, K) to presence logits (N, 1 + T), clean first, and level quantiles (N, T, 3), for T types."""

    def __init__(self, size: int, types: int, settings: HeadSettings) -> None:
        super().__init__()
        self.types = types
        layers: list[nn.Module] = [nn.Dropout(settings.dropout / 2)]
        for wide in (size, settings.width):
            layers += [nn.Linear(wide, settings.width), nn.GELU(), nn.Dropout(settings.dropout)]
        self.hidden = nn.Sequential(*layers)
        self.presence = nn.Linear(settings.width, 1 + types)
        self.level = nn.Linear(settings.width, types * len(QUANTILES))

    def forward(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.hidden(descriptors)
        below, middle, above = self.level(hidden).unflatten(1, (self.types, len(QUANTILES))).unbind(2)
        # In order by construction: the middle, and its distances from the ends.
        quantiles = torch.stack([middle - functional.softplus(below), middle, middle + functional.softplus(above)], 2)
        return self.presence(hidden), quantiles


def fit_head(descriptors: Tensor, levels: Tensor, settings: HeadSettings, seed: int) -> Head:
    """Fit a head to reduced descriptors (N, K) and levels (N, T), 0 where a type is absent; on the CPU, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(descriptors.shape[1], levels.shape[1], settings)
        optimizer = torch.optim.AdamW(head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        batches = max(1, len(descriptors) // settings.batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.learning_rate, total_steps=settings.passes * batches, pct_start=0.1
        )
        for _ in range(settings.passes):
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
    """Which of clean and the T types are present: (N, T) levels to (N, 1 + T) zeros and ones."""
    present = (levels > 0).float()
    return torch.cat([1 - present.amax(1, keepdim=True), present], 1)


def _loss(logits: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Each type present or not, the types against each other, and the levels' quantiles where present."""
    present = presence_of(levels)
    each = functional.binary_cross_entropy_with_logits(logits, present) * present.shape[1]
    # Types exclude each other in most images: sharper than the first term alone.
    together = -(logits.log_softmax(1) * present / present.sum(1, keepdim=True)).sum(1).mean()
    missed = levels[..., None] - quantiles
    marks = logits.new_tensor(QUANTILES)
    pinball = torch.maximum(marks * missed, (marks - 1) * missed).sum(2)
    return each / 5 + together + (pinball * present[:, 1:]).sum() / present[:, 1:].sum().clamp(min=1)
