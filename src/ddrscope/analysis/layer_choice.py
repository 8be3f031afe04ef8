"""The layers of a network to analyse."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ddrscope.layers import LayerName, default_layers, resolve_layers
from ddrscope.networks import Network


def choose_layers(network: Network, patterns: Sequence[str] | None, sample: Tensor) -> list[str]:
    """The chosen layers of a network in forward order, the last HR layer at the end.

    Args:
        network: The network.
        patterns: Layer names or globs; None takes the layers that the network declares, or those that
            `ddrscope.layers.default_layers` finds.
        sample: An input batch, for a trial run.

    Raises:
        InputError: A layer is unknown.
    """
    declared, last = list(network.layers), network.last_hr_layer
    if last is None:
        discovered = default_layers(network.module, sample, network)
        declared, last = discovered.layers, discovered.last_hr_layer
    given = list(patterns) if patterns is not None else declared
    layers = resolve_layers(network.module, [*given, last], sample, network)
    return [*(layer for layer in layers if LayerName.parse(layer) != LayerName.parse(last)), last]
