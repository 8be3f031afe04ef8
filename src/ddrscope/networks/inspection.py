"""What a network's file does not say, found by running it: its layers and its global residual."""

from __future__ import annotations

import dataclasses

import torch

from ddrscope.errors import InputError, printable
from ddrscope.layers import default_layers
from ddrscope.networks.network import Network
from ddrscope.networks.residual_path import measure_residual_path

# Small enough to be quick, large enough for the windows of every architecture.
SAMPLE_SIDE = 64


def inspected(network: Network) -> Network:
    """The network with its default layers, its last HR layer and its global residual, as far as they can be found.

    What the network already states is kept.

    Args:
        network: The network.
    """
    try:
        if network.last_hr_layer is None:
            network = _with_layers(network)
        if network.global_residual is None:
            network = _with_residual(network)
    except InputError as error:
        return _noted(network, str(error))
    # The code of the network can raise anything; what is not known then is asked for where it is needed.
    except Exception as error:
        return _noted(network, f"{network.name}: a trial run failed ({printable(str(error))[:200]})")
    return network


def with_stated_residual(network: Network, stated: bool | None) -> Network:
    """The network with the user's answer on its global residual, where that was measured or is not known.

    Args:
        network: The inspected network. It is not built anew, so the answer changes what is said of it, not its output.
        stated: The answer; None for none.
    """
    if stated is None or network.global_residual_source not in (None, "measured"):
        return network
    notes = network.notes
    if network.global_residual not in (None, stated):
        notes += (f"Global residual: the option says {'yes' if stated else 'none'}, against the measurement.",)
    interpolation = network.residual_interpolation if network.global_residual == stated else None
    return dataclasses.replace(
        network,
        global_residual=stated,
        global_residual_source="option",
        residual_interpolation=interpolation,
        notes=notes,
    )


def _with_layers(network: Network) -> Network:
    sample = torch.full((1, network.channels, SAMPLE_SIDE, SAMPLE_SIDE), 0.5)
    found = default_layers(network.module, sample, network)
    return dataclasses.replace(network, layers=tuple(found.layers), last_hr_layer=found.last_hr_layer)


def _with_residual(network: Network) -> Network:
    path = measure_residual_path(network.module, network.channels, network.scale, network)
    if not path.decided:
        return _noted(network, "Global residual: not known, since features reach the output by several ways.")
    return dataclasses.replace(
        network,
        global_residual=path.interpolation is not None,
        global_residual_source="measured",
        residual_interpolation=path.interpolation,
        notes=(*network.notes, _sentence(path.interpolation)),
    )


def _sentence(interpolation: str | None) -> str:
    if interpolation is None:
        return "Global residual: none, measured by silencing the output convolution."
    how = {"identity": "the input itself", "learned": "a learned linear enlargement of the input"}
    added = how.get(interpolation, f"the {interpolation} enlargement of the input")
    return f"Global residual: {added} is added, measured by silencing the output convolution."


def _noted(network: Network, note: str) -> Network:
    return dataclasses.replace(network, notes=(*network.notes, note))
