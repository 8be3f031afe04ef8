"""Losses of adversarial training, on the logits of the discriminator: large where it takes an image for real."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def discriminator_loss(kind: str, real: Tensor, generated: Tensor) -> Tensor:
    """The loss of the discriminator.

    Args:
        kind: ``vanilla``: cross-entropy of each (Goodfellow et al. 2014), 2 ln 2 at chance. ``relativistic``:
            cross-entropy of their difference (Jolicoeur-Martineau 2018, the standard form), ln 2 at chance. Both
            images of a pair show the same content, which cancels in the difference.
        real: Logits of real images.
        generated: Logits of generated images of the same content.
    """
    if kind == "relativistic":
        return functional.softplus(generated - real).mean()
    return functional.softplus(-real).mean() + functional.softplus(generated).mean()


def generator_loss(kind: str, real: Tensor, generated: Tensor) -> Tensor:
    """The loss of the generator: `discriminator_loss` with real and generated exchanged.

    The vanilla form uses ``generated`` alone, the non-saturating form.
    """
    if kind == "relativistic":
        return discriminator_loss(kind, generated, real)
    return functional.softplus(-generated).mean()


def r1_penalty(real: Tensor, images: Tensor) -> Tensor:
    """The mean squared norm of the gradient of the logits at real images (Mescheder et al. 2018), differentiable.

    Args:
        real: Logits of ``images``. Their mean over positions is differentiated, so that the penalty does not grow with
            the patch.
        images: (B, C, H, W), which must require a gradient.
    """
    (gradient,) = torch.autograd.grad(real.mean(dim=(1, 2, 3)).sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()
