"""The layers of a network to analyse."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.layers import LayerName, capture, default_layers, resolve_layers
from ddrscope.networks import Network


def choose_layers(
    network: Network, patterns: Sequence[str] | None, sample: Tensor, output_layer: str | None = None
) -> list[str]:
    """The chosen layers of a network in forward order, the last HR layer at the end.

    Args:
        network: The network.
        patterns: Layer names or globs; None takes the layers that the network declares, or those that
            `ddrscope.layers.default_layers` finds.
        sample: An input batch, for a trial run.
        output_layer: The last HR layer, where the one that the network declares or that is found is not meant.

    Raises:
        InputError: A layer is unknown; names the network.
    """
    try:
        return _choose(network, patterns, sample, output_layer)
    except InputError as error:
        raise InputError(f"{network.name}, {error}") from None


def _choose(network: Network, patterns: Sequence[str] | None, sample: Tensor, output_layer: str | None) -> list[str]:
    declared, last = list(network.layers), network.last_hr_layer
    if last is None:
        discovered = default_layers(network.module, sample, network)
        declared, last = discovered.layers, discovered.last_hr_layer
    last = output_layer or last
    given = list(patterns) if patterns is not None else declared
    layers = resolve_layers(network.module, [*given, last], sample, network)
    return [*(layer for layer in layers if LayerName.parse(layer) != LayerName.parse(last)), last]


def layer_size(network: Network, layer: str, sample: Tensor) -> str:
    """The size of a layer: ``HR``, ``LR``, or as ``x2`` one between; empty for a vector, and at scale 1 ``HR``.

    Args:
        network: The network.
        layer: Name of the layer.
        sample: An input batch, for a trial run.
    """
    sides: list[int] = []
    capture(network.module, sample, [layer], lambda _, tensor: sides.extend(tensor.shape[2:]), run=network)
    if len(sides) != 2:
        return ""
    # Networks with windows pad their input, so a layer of LR size may be somewhat larger than the input.
    enlargement = sides[0] / sample.shape[2]
    nearest = min((1, 2, 3, 4, 8), key=lambda factor: abs(factor - enlargement))
    if nearest == network.scale:
        return "HR"
    return "LR" if nearest == 1 else f"x{nearest}"
