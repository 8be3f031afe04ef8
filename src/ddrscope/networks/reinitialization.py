"""Copies of networks with random weights, the control of an analysis."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.base import SelfInitializing
from ddrscope.networks.network import Network, weights_sha256

# Tensors beside the parameters that are kernels of convolutions: dimensions, and numbers from which they are more than
# a mean by channel.
_KERNEL_DIMENSIONS, _KERNEL_SIZE = 4, 64
# What weight and spectral normalization call the parameter from which they compute a weight at each call.
_COMPUTED_FROM = ("_v", "_orig")


def reinitialized_copy(network: Network, seed: int = 0) -> Network:
    """The same graph with its weights drawn anew, as before training.

    Modules with a rule of their own (`SelfInitializing`) follow it, and others their ``reset_parameters``, PyTorch's
    default for their kind. Parameters that neither sets, such as tables of position biases, learned scales and those of
    weight normalization, are drawn from a normal distribution of their own mean and standard deviation. So are kernels
    that modules keep beside their parameters, such as merged ones; a note counts these.

    Args:
        network: The network; it is not changed.
        seed: Seed of the weights, which do not depend on the device. The global random state is kept.
    """
    copied = copy.deepcopy(network)
    device = next(copied.module.parameters(), torch.empty(0)).device
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        _reinitialize(copied.module.cpu())
        kept = sum(_redraw_kernels(module) for module in copied.module.modules())
    notes = network.notes
    if kept:
        notes += (
            f"Random weights: {kept} kernels beside the parameters, perhaps fixed ones, were drawn anew as well.",
        )
    digest = weights_sha256(copied.module)
    copied.to(device)
    return dataclasses.replace(
        copied,
        name=f"{network.name} (random weights)",
        source=f"random weights, seed {seed}",
        sha256=digest,
        notes=notes,
    )


def _reinitialize(module: nn.Module) -> None:
    if isinstance(module, SelfInitializing):
        module.initialize()
        return
    own = dict(module.named_parameters(recurse=False))
    trained = {name: parameter.clone() for name, parameter in own.items()}
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        # What the method does not set is seen by it.
        for parameter in own.values():
            if parameter.is_floating_point():
                parameter.fill_(torch.nan)
        reset()
    for name, parameter in own.items():
        if not callable(reset) or parameter.isnan().any():
            parameter.copy_(_drawn_like(trained[name]))
    for child in module.children():
        _reinitialize(child)


def _redraw_kernels(module: nn.Module) -> int:
    """Draw anew the kernels that a module keeps as plain attributes, in lists or as buffers; returns how many."""
    computed = {name.removesuffix(end) for name in module._parameters for end in _COMPUTED_FROM if name.endswith(end)}
    count = 0
    for holder, key, tensor in list(_tensors_beside(module)):
        if key in computed or tensor.ndim != _KERNEL_DIMENSIONS or tensor.numel() < _KERNEL_SIZE:
            continue
        if tensor.is_floating_point():
            # Not in place: a tensor of inference mode cannot be changed outside it.
            holder[key] = _drawn_like(tensor.cpu())
            count += 1
    return count


def _tensors_beside(module: nn.Module) -> Iterator[tuple[Any, Any, Tensor]]:
    """The tensors of a module that are no parameters, with what holds them and under which key."""
    attributes = vars(module)
    lists = [value for value in attributes.values() if isinstance(value, list)]
    mappings = [value for name, value in attributes.items() if isinstance(value, dict) and name != "_parameters"]
    places = [(attributes, attributes.items()), *((held, held.items()) for held in mappings)]
    for holder, items in [*places, *((held, enumerate(held)) for held in lists)]:
        for key, value in items:
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                yield holder, key, value


def _drawn_like(tensor: Tensor) -> Tensor:
    spread = tensor.std() if tensor.numel() > 1 else tensor.abs().mean()
    return torch.randn_like(tensor) * spread + tensor.mean()
