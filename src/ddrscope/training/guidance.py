"""What a guided network in training is told of the degradation: by deep degradation representations, or, to compare, by the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ddrscope.degradations import Degradation, Pipeline
from ddrscope.degradations.blur import AnisotropicBlur, GaussianBlur
from ddrscope.degradations.compression import Jpeg
from ddrscope.degradations.noise import GaussianNoise
from ddrscope.errors import InputError
from ddrscope.networks import (
    DegradationGuide,
    GuidedSRResNet,
    PlainSR,
    SRResNet,
    load_named_network,
    reinitialized_copy,
)
from ddrscope.networks.architectures.guided import CELL
from ddrscope.training.recipes import Recipe

# Numbers by which `known_degradation` describes a degradation.
KNOWN = 7


def build(recipe: Recipe) -> SRResNet | PlainSR | GuidedSRResNet:
    """The untrained network of a recipe, its weights drawn from the recipe's seed.

    Raises `InputError` for guidance of a plain network.
    """
    torch.manual_seed(recipe.seed)
    kind = PlainSR if recipe.architecture == "plain" else SRResNet
    network = kind(
        channels=recipe.channels, blocks=recipe.blocks, scale=recipe.scale, global_residual=recipe.global_residual
    )
    if recipe.guidance == "none":
        return network
    if not isinstance(network, SRResNet):
        raise InputError(f"guidance={recipe.guidance} needs architecture=srresnet, not {recipe.architecture}")
    if recipe.guidance == "oracle":
        return GuidedSRResNet(network, None, KNOWN)
    return GuidedSRResNet(network, make_guide(recipe))


def make_guide(recipe: Recipe) -> DegradationGuide:
    """The frozen beginning of the recipe's ``guide``, or of the same network with weights drawn from the recipe's seed."""
    # Recipes are passed around: one must not name a function to be run here.
    guide = load_named_network(recipe.guide, "guide")
    if recipe.guidance == "untrained":
        guide = reinitialized_copy(guide, recipe.seed)
    if not isinstance(guide.module, SRResNet) or guide.channels != 3 or len(guide.module.body) < recipe.guide_blocks:
        raise InputError(
            f"{recipe.guide} is no SRResNet for RGB of {recipe.guide_blocks} blocks or more: choose another guide, or guide_blocks"
        )
    return DegradationGuide.cut_from(guide.module, recipe.guide_blocks)


def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Standardize what the guide says, if there is one, by small patches of the training."""
    if isinstance(network, GuidedSRResNet) and network.guide is not None:
        network.guide.calibrate(batches)


def margin_shown(network: nn.Module, recipe: Recipe) -> int:
    """How many pixels around a small patch the guide is shown, where the network has one."""
    return recipe.guide_margin if isinstance(network, GuidedSRResNet) and network.guide is not None else 0


def without_margin(network: nn.Module, around: Tensor, margin: int) -> tuple[Tensor, ...]:
    """The small patches (B, 3, size, size) inside ``around``, and what the guide says of each by all of ``around``.

    Without a margin the network asks its guide itself.
    """
    if not margin:
        return (around,)
    assert isinstance(network, GuidedSRResNet)
    small = around[:, :, margin:-margin, margin:-margin]
    first, rows, columns = margin // CELL, *(-(-side // CELL) for side in small.shape[2:])
    return small, network.condition(around)[:, :, first : first + rows, first : first + columns]


def told(network: nn.Module, pipelines: Sequence[Pipeline]) -> tuple[Tensor, ...]:
    """What the network must be given beside small images made through ``pipelines``: the truth, where it has no guide of its own."""
    if isinstance(network, GuidedSRResNet) and network.guide is None:
        return (known_degradations(pipelines),)
    return ()


def known_degradations(pipelines: Sequence[Pipeline]) -> Tensor:
    """The true parameters (N, 7, 1, 1), each about 0 to 1: blur along and across its angle, their difference times cosine and sine of twice
    the angle, noise, JPEG's lack of quality, and whether there is JPEG.

    Raises `InputError` for a step that these do not describe.
    """
    rows = torch.zeros(len(pipelines), KNOWN)
    for row, pipeline in zip(rows, pipelines, strict=True):
        for step in pipeline.steps:
            _tell(row, step)
    return rows[:, :, None, None]


def _tell(row: Tensor, step: Degradation) -> None:
    if isinstance(step, GaussianBlur):
        row[:2] = step.level / 4
    elif isinstance(step, AnisotropicBlur):
        angle, uneven = 2 * math.radians(step.angle), (step.level - step.across) / 4
        row[:4] = torch.tensor([step.level / 4, step.across / 4, uneven * math.cos(angle), uneven * math.sin(angle)])
    elif isinstance(step, GaussianNoise):
        row[4] = step.level / 25
    elif isinstance(step, Jpeg):
        row[5], row[6] = 1 - step.level / 100, 1
    else:
        raise InputError(
            f"an oracle knows blur, aniso_blur, noise and jpeg, not {step.family}: leave it out of degradation"
        )
