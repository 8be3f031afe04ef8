"""The networks of a training: unguided, steered by deep degradation representations, or by one of the controls."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ddrscope.degradations import Degradation, DegradationChain, Pipeline
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

# How many numbers `degradation_parameters` returns.
ORACLE_DIMENSIONS = 7


def build_network(recipe: Recipe) -> SRResNet | PlainSR | GuidedSRResNet:
    """The untrained network of a recipe, with weights from the recipe's seed.

    Raises:
        InputError: The recipe has guidance for a plain network, or the guide is not suitable.
    """
    torch.manual_seed(recipe.seed)
    architecture = PlainSR if recipe.architecture == "plain" else SRResNet
    network = architecture(
        channels=recipe.channels, blocks=recipe.blocks, scale=recipe.scale, global_residual=recipe.global_residual
    )
    if recipe.guidance == "none":
        return network
    if not isinstance(network, SRResNet):
        raise InputError(f"guidance={recipe.guidance} needs architecture=srresnet, not {recipe.architecture}")
    if recipe.guidance == "oracle":
        return GuidedSRResNet(network, None, ORACLE_DIMENSIONS)
    return GuidedSRResNet(network, build_guide(recipe))


def build_guide(recipe: Recipe) -> DegradationGuide:
    """The frozen first blocks of the recipe's ``guide``, or of the same network with weights from the recipe's seed."""
    # Recipes are untrusted: the guide must be a named network, not a function to run.
    guide = load_named_network(recipe.guide, "guide")
    if recipe.guidance == "untrained":
        guide = reinitialized_copy(guide, recipe.seed)
    if not isinstance(guide.module, SRResNet) or guide.channels != 3 or len(guide.module.body) < recipe.guide_blocks:
        raise InputError(
            f"{recipe.guide} is not an SRResNet for RGB of {recipe.guide_blocks} blocks or more: "
            "choose another guide, or fewer guide_blocks"
        )
    return DegradationGuide.cut_from(guide.module, recipe.guide_blocks)


def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Standardize the output of the guide, if there is one, on LR patches of the training."""
    if isinstance(network, GuidedSRResNet) and network.guide is not None:
        network.guide.calibrate(batches)


def guide_margin(network: nn.Module, recipe: Recipe) -> int:
    """LR pixels around a patch that the guide sees; 0 without a guide."""
    return recipe.guide_margin if isinstance(network, GuidedSRResNet) and network.guide is not None else 0


def without_margin(network: nn.Module, patches: Tensor, margin: int) -> tuple[Tensor, ...]:
    """The inputs of the network for LR patches with a margin.

    Args:
        network: The network.
        patches: (B, 3, H, W) with ``margin`` pixels on each side.
        margin: 0, or a multiple of 8.

    Returns:
        The patches without margin, and with a margin the condition that the guide computes from the whole patches.
        Without a margin the network calls its guide itself.
    """
    if not margin:
        return (patches,)
    assert isinstance(network, GuidedSRResNet)
    inner = patches[:, :, margin:-margin, margin:-margin]
    first, rows, columns = margin // CELL, *(-(-side // CELL) for side in inner.shape[2:])
    return inner, network.condition(patches)[:, :, first : first + rows, first : first + columns]


def oracle_condition(network: nn.Module, pipelines: Sequence[Pipeline | DegradationChain]) -> tuple[Tensor, ...]:
    """The true parameters of the degradations, if the network takes them as its condition (``guidance=oracle``)."""
    if isinstance(network, GuidedSRResNet) and network.guide is None:
        # A recipe of chains is refused together with this guidance.
        return (degradation_parameters([pipeline for pipeline in pipelines if isinstance(pipeline, Pipeline)]),)
    return ()


def degradation_parameters(pipelines: Sequence[Pipeline]) -> Tensor:
    """The parameters of degradations, each about 0 to 1.

    Returns:
        (N, 7, 1, 1): blur along and across its angle, their difference times cosine and sine of twice the angle,
        noise, JPEG's lack of quality, and whether there is JPEG.

    Raises:
        InputError: There is a step other than blur, aniso_blur, noise and jpeg.
    """
    rows = torch.zeros(len(pipelines), ORACLE_DIMENSIONS)
    for row, pipeline in zip(rows, pipelines, strict=True):
        for step in pipeline.steps:
            _set_parameters(row, step)
    return rows[:, :, None, None]


def _set_parameters(row: Tensor, step: Degradation) -> None:
    if isinstance(step, GaussianBlur):
        row[:2] = step.level / 4
    elif isinstance(step, AnisotropicBlur):
        angle, difference = 2 * math.radians(step.angle), (step.level - step.across) / 4
        cosine, sine = difference * math.cos(angle), difference * math.sin(angle)
        row[:4] = torch.tensor([step.level / 4, step.across / 4, cosine, sine])
    elif isinstance(step, GaussianNoise):
        row[4] = step.level / 25
    elif isinstance(step, Jpeg):
        row[5], row[6] = 1 - step.level / 100, 1
    else:
        raise InputError(f"guidance=oracle knows blur, aniso_blur, noise and jpeg, not {step.family}: leave it out")
