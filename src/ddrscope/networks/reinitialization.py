"""Copies of networks with random weights, the control of an analysis."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn

from ddrscope.networks.architectures.base import SelfInitializing
from ddrscope.networks.network import Network, weights_sha256


def reinitialized_copy(network: Network, seed: int = 0) -> Network:
    """The same graph with its weights drawn anew, as before training.

    Modules with a rule of their own (`SelfInitializing`) follow it, and others their ``reset_parameters``, PyTorch's
    default for their kind. Parameters without either, such as tables of position biases and learned scales, are drawn
    from a normal distribution of their own mean and standard deviation.

    Args:
        network: The network; it is not changed.
        seed: Seed of the weights, which do not depend on the device. The global random state is kept.
    """
    copied = copy.deepcopy(network)
    device = next(copied.module.parameters(), torch.empty(0)).device
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        _reinitialize(copied.module.cpu())
    digest = weights_sha256(copied.module)
    copied.to(device)
    return dataclasses.replace(
        copied, name=f"{network.name} (random weights)", source=f"random weights, seed {seed}", sha256=digest
    )


def _reinitialize(module: nn.Module) -> None:
    if isinstance(module, SelfInitializing):
        module.initialize()
        return
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
    else:
        for parameter in module.parameters(recurse=False):
            spread = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
            parameter.copy_(torch.randn_like(parameter) * spread + parameter.mean())
    for child in module.children():
        _reinitialize(child)
