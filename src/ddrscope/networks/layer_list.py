"""The layers of a network, as a user can name them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddrscope.layers import all_layers, default_layers
from ddrscope.networks.inspection import SAMPLE_SIDE, inspected
from ddrscope.networks.loading import load_network
from ddrscope.networks.network import Network


@dataclass(frozen=True)
class ListedLayer:
    """A layer.

    ``type`` is the class of its module, ``shape`` that of its first output with the batch (None: no tensor), ``calls``
    how often it is called, ``default`` whether it is analyzed by default.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    calls: int
    default: bool


@dataclass(frozen=True)
class LayerList:
    """The layers of a network, the names of those that are analyzed by default, in forward order, and the last HR layer.

    The default names include inputs, as ``conv_last:input``, which are not listed as layers.
    """

    network: str
    layers: tuple[ListedLayer, ...]
    default: tuple[str, ...]
    last_hr_layer: str

    def to_json(self) -> dict[str, Any]:
        """The list as JSON values."""
        layers = [
            {
                "layer": layer.name,
                "type": layer.type,
                "shape": layer.shape,
                "calls": layer.calls,
                "default": layer.default,
            }
            for layer in self.layers
        ]
        return {
            "network": self.network,
            "layers": layers,
            "default": list(self.default),
            "last_hr_layer": self.last_hr_layer,
        }


def list_layers(network: Network | str | Path) -> LayerList:
    """List the layers that a forward pass calls, by running the network once on a gray image of 64 x 64 pixels.

    Args:
        network: A network, or what `ddrscope.load_network` takes.

    Examples:
        >>> list_layers("srresnet-wgr").default[-1]
        'conv_last:input'
    """
    network = inspected(network) if isinstance(network, Network) else load_network(network)
    sample = torch.full((1, network.channels, SAMPLE_SIDE, SAMPLE_SIDE), 0.5)
    default = network.layers or tuple(default_layers(network.module, sample, network).layers)
    layers = tuple(
        ListedLayer(info.name, info.type, info.shape, info.calls, info.name in default)
        for info in all_layers(network.module, sample, network)
    )
    return LayerList(network.name, layers, default, network.last_hr_layer or default[-1])
