"""Losses of adversarial training, on logits: large where the discriminator takes a place for real."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def discriminator_loss(kind: str, real: Tensor, made: Tensor) -> Tensor:
    """What the discriminator minimizes, from its logits at real and at made images of the same places.

    ``vanilla``: cross-entropy of each (Goodfellow et al. 2014), 2 ln 2 where it cannot tell them apart. ``relativistic``:
    cross-entropy of the real one's lead over the made one (Jolicoeur-Martineau 2018, the standard form), ln 2 where it cannot.
    The images of a pair show the same, so that content drops out of the lead; in the average form it drowned the difference.
    """
    if kind == "relativistic":
        return functional.softplus(made - real).mean()
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def generator_loss(kind: str, real: Tensor, made: Tensor) -> Tensor:
    """What the generator minimizes: the same with the parts exchanged; the vanilla form looks at ``made`` alone, so as not to saturate."""
    if kind == "relativistic":
        return discriminator_loss(kind, made, real)
    return functional.softplus(-made).mean()


def r1_penalty(real: Tensor, images: Tensor) -> Tensor:
    """The mean squared length of the logits' slope at real ``images`` (Mescheder et al. 2018), to be differentiated again.

    ``images`` (B, C, H, W) must require a gradient and have led to the logits ``real``. An image is judged by the mean of its places, so
    that the penalty does not grow with the patch.
    """
    (slope,) = torch.autograd.grad(real.mean(dim=(1, 2, 3)).sum(), images, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()
