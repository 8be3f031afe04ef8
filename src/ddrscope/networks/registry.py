"""Recognizing the architecture of a checkpoint by its weights, and building the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import nn

from ddrscope.networks.architectures import (
    carn,
    cifar_resnet,
    dncnn,
    edsr,
    enhancenet,
    espcn,
    f2srgan,
    fast_srgan,
    fsrcnn,
    guided,
    imdn,
    lightweight_srgan,
    pan,
    plain,
    rfdn,
    rlfn,
    span,
    squeezenet,
    srgan,
    srresnet,
    vdsr,
)
from ddrscope.networks.architectures.base import Architecture, State
from ddrscope.networks.checkpoints.state_dicts import candidate_states, which_weights
from ddrscope.networks.global_residual import resolve_global_residual
from ddrscope.networks.misfits import unknown_architecture
from ddrscope.networks.nearest_architecture import nearest_architecture
from ddrscope.networks.network import Network
from ddrscope.networks.spandrel_networks import build_by_spandrel
from ddrscope.networks.strict_loading import fitting, load_strictly

# The first that matches is taken.
ARCHITECTURES: tuple[Architecture, ...] = (
    guided.ARCHITECTURE,
    srresnet.ARCHITECTURE,
    plain.ARCHITECTURE,
    edsr.ARCHITECTURE,
    vdsr.ARCHITECTURE,
    enhancenet.ARCHITECTURE,
    imdn.ARCHITECTURE,
    pan.ARCHITECTURE,
    *carn.ARCHITECTURES,
    rfdn.ARCHITECTURE,
    rlfn.ARCHITECTURE,
    span.ARCHITECTURE,
    srgan.ARCHITECTURE,
    fast_srgan.ARCHITECTURE,
    f2srgan.ARCHITECTURE,
    lightweight_srgan.ARCHITECTURE,
    espcn.ARCHITECTURE,
    fsrcnn.ARCHITECTURE,
    dncnn.ARCHITECTURE,
    squeezenet.ARCHITECTURE,
    cifar_resnet.ARCHITECTURE,
)


def build_network(state: State, metadata: Mapping[str, str], name: str, global_residual: bool | None = None) -> Network:
    """The network of a checkpoint: of one of `ARCHITECTURES`, or else one that spandrel knows.

    Args:
        state: All tensors of the checkpoint by name; the network's may lie below a common prefix.
        metadata: The metadata of the checkpoint; ``global_residual`` is used, if it is there.
        name: The checkpoint, as messages name it.
        global_residual: Overrules the metadata; if neither says it and the weights do not determine it, it is measured.

    Raises:
        InputError: No architecture matches, or the weights do not fit the one that does.
    """

    def by_registry(weights: State) -> Network | None:
        for architecture in ARCHITECTURES:
            if architecture.matches(weights):
                return _build(architecture, weights, metadata, name, global_residual)
        return None

    def by_spandrel(weights: State) -> Network | None:
        return build_by_spandrel(weights, name)

    # Importing the forty architectures of spandrel takes seconds, so all candidates are first looked up here.
    for recognize in (by_registry, by_spandrel):
        for candidate in candidate_states(state):
            network = recognize(candidate.state)
            if network:
                notes = (_unused_option(network, global_residual), which_weights(candidate, state))
                return dataclasses.replace(network, notes=(*network.notes, *filter(None, notes)))
    likeness = nearest_architecture((candidate.state for candidate in candidate_states(state)), ARCHITECTURES)
    raise unknown_architecture(name, list(state), likeness)


def _build(
    architecture: Architecture, state: State, metadata: Mapping[str, str], name: str, option: bool | None
) -> Network:
    spec = fitting(name, architecture.name, lambda: architecture.read(state))

    def build(global_residual: bool) -> nn.Module:
        return load_strictly(name, architecture.name, lambda: spec.build(global_residual), spec.state)

    residual = resolve_global_residual(spec, build, metadata, option)
    return Network(
        name=name,
        module=build(residual.value),
        scale=spec.scale,
        channels=spec.channels,
        architecture=architecture.name,
        global_residual=residual.value,
        global_residual_source=residual.source,
        layers=spec.layers,
        last_hr_layer=spec.layers[-1] if spec.layers else None,
        minimum_size=spec.minimum_size,
        notes=(*spec.notes, *residual.notes),
    )


def _unused_option(network: Network, option: bool | None) -> str:
    """One sentence if the option asks for another variant than the weights determine; otherwise empty."""
    # Where it is not determined, the option counts: see `with_stated_residual`.
    if option is None or network.global_residual in (None, option):
        return ""
    return "Global residual: the weights determine it, so the option has no effect."
