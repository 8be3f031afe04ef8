"""The networks of a run: loaded, checked to be comparable, and the layer of each that is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ddrscope.errors import InputError
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.layers import capture, device_of, resolve_layers
from ddrscope.networks import Network, disambiguate_names, load_network


@dataclass(frozen=True, eq=False)
class ScoredNetwork:
    """A network and the layer whose features are scored."""

    network: Network
    layer: str

    @property
    def name(self) -> str:
        """The name of the network, unique in its run."""
        return self.network.name


def load_networks(
    networks: Sequence[str | Path | Network], settings: GeneralizationSettings
) -> tuple[ScoredNetwork, ...]:
    """Load the networks of a run and choose their layers.

    Args:
        networks: Names, paths, or loaded networks, which stay on their device.
        settings: Settings of the run, whose ``networks`` are the same as texts.

    Returns:
        The networks in the same order. Two of the same name are named by what was given.

    Raises:
        InputError: There is no network, one cannot be loaded, two are the same, they differ in scale or channels, or a layer is
            unknown or has no image-shaped output.
    """
    if not networks:
        raise InputError("`networks` is empty: give one or more")
    loaded = [_load(network, settings) for network in networks]
    loaded = disambiguate_names(loaded, settings.networks)
    names = [network.name for network in loaded]
    if len(set(names)) < len(names):
        raise InputError(f"two networks are called {max(names, key=names.count)}: rename one, or give it only once")
    for attribute in ("scale", "channels"):
        values = {network.name: getattr(network, attribute) for network in loaded}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name}: {value}" for name, value in values.items())
            raise InputError(
                f"the networks differ in {attribute} ({listed}), so their scores are not comparable: "
                "score them in separate runs"
            )
    side = input_side(settings, loaded[0].scale)
    return tuple(ScoredNetwork(network, _layer(network, settings.layer, side)) for network in loaded)


def input_side(settings: GeneralizationSettings, scale: int) -> int:
    """The side in pixels of a patch at the input of a network that enlarges by ``scale``.

    Raises:
        InputError: ``patch`` is no multiple of the scale.
    """
    if settings.patch % scale:
        nearest = max(scale, round(settings.patch / scale) * scale)
        raise InputError(f"`patch`={settings.patch} is no multiple of the networks' scale {scale}: give {nearest}")
    return settings.patch // scale


def _load(network: str | Path | Network, settings: GeneralizationSettings) -> Network:
    if isinstance(network, Network):
        return network
    loaded = load_network(
        network, global_residual=settings.global_residual, allow_torchscript=settings.allow_torchscript
    )
    return loaded.to(settings.device)


def _layer(network: Network, name: str | None, side: int) -> str:
    """The layer to score, checked to be image-shaped."""
    pattern = name or network.last_hr_layer
    if pattern is None:
        raise InputError(
            f"{network.name}: its last HR layer is not known: give `layer` (ddrscope models layers lists the layers)"
        )
    sample = torch.zeros(1, network.channels, side, side, device=device_of(network.module))
    layer = resolve_layers(network.module, [pattern], sample, network)[0]
    shape: list[int] = []
    capture(network.module, sample, [layer], lambda _, tensor: shape.extend(tensor.shape), run=network.run)
    if len(shape) != 4:
        raise InputError(
            f"{network.name}, layer {layer}: its output {tuple(shape)} is not image-shaped (B, C, H, W): "
            "choose another layer"
        )
    return layer
