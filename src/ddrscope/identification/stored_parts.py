"""The parts of an identifier as tensors and settings of its file: what describes tiles, and what classifies them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import Precision
from ddrscope.identification.calibration import PresenceCalibration
from ddrscope.identification.compact import CompactIdentifier, TrunkDescriptor
from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.head import Head, HeadSettings
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.identification.tile_network import TileNetwork, TileNetworkSettings
from ddrscope.networks import Network, load_named_network
from ddrscope.networks.checkpoints.safety import AllocationLimit

Tensors = dict[str, Tensor]
Settings = dict[str, Any]
# Attributes of a `DistortionIdentifier` with one tensor for each part of the descriptor, and their names in the file.
PART_TENSORS = {"centers": "centers_", "bases": "bases_", "reaches": "clip_limits_"}
NOVELTY_TENSORS = {"known": "known_", "spread": "spread_", "centers": "centers_"}
# The one setting of a head that has another name in the file.
EPOCHS, EPOCHS_IN_FILE = "epochs", "passes"
TRUNK = "trunk."
# More than any network that is worth its time.
MAX_STAGES, MAX_WIDTH = 8, 2048


def store_descriptor(descriptor: Descriptor | TrunkDescriptor) -> tuple[Tensors, Settings]:
    """A descriptor: a network by its name and SHA-256, or the weights of a compact one."""
    if isinstance(descriptor, Descriptor):
        poolings = {layer: list(names) for layer, names in descriptor.poolings.items()}
        network = descriptor.network
        return {}, {"network": _network_reference(network), "sha256": network.sha256, "poolings": poolings}
    weights = descriptor.network.state_dict()
    tensors = {f"{TRUNK}{key}": value for key, value in weights.items()}
    shape = dataclasses.asdict(descriptor.network.settings)
    return tensors, {"trunk": {**shape, "types": descriptor.network.types}}


def load_descriptor(
    path: Path, tensors: Tensors, settings: Settings, device: str, precision: Precision, remedy: str
) -> Descriptor | TrunkDescriptor:
    """What `store_descriptor` stored.

    Raises:
        InputError: Its network is missing or has other weights.
    """
    if "trunk" in settings:
        network = _trunk(tensors, settings["trunk"]).to(resolve_device(device))
        return TrunkDescriptor(network.eval(), precision)
    if not isinstance(settings["poolings"], dict):
        raise TypeError("poolings are no table")
    named = load_named_network(settings.get("network"), f"{path}: network")
    if named.sha256 != settings.get("sha256"):
        raise InputError(f"{path} was fitted to another {settings['network']} than the one here: {remedy}")
    named.to(resolve_device(device))
    return Descriptor(named, settings["poolings"], precision)


def _trunk(tensors: Tensors, shape: Mapping[str, Any]) -> TileNetwork:
    if not isinstance(shape, dict):
        raise TypeError("trunk is no table")
    widths, depths = tuple(shape["widths"]), tuple(shape["depths"])
    numbers = [*widths, *depths, shape["hidden"], shape["types"]]
    if not all(isinstance(number, int) and 0 <= number <= MAX_WIDTH for number in numbers) or len(widths) > MAX_STAGES:
        raise ValueError("the shape of its network is out of range")
    weights = {key.removeprefix(TRUNK): value for key, value in tensors.items() if key.startswith(TRUNK)}
    # The shape is the file's word: it must not ask for more memory than the weights take.
    convolutions = sum(
        9 * width * (before + depth * width) for before, width, depth in zip((0, *widths), widths, depths, strict=False)
    )
    if convolutions > sum(value.numel() for value in weights.values()) or sum(depths) > len(weights):
        raise ValueError("its weights are fewer than its shape needs")
    network = TileNetwork(shape["types"], TileNetworkSettings(widths, depths, shape["hidden"]))
    network.load_state_dict(weights)
    return network


def _network_reference(network: Network) -> str:
    """The path of a network's file, or the name of a bundled network, whose path differs between installations."""
    source = Path(network.source)
    bundled = source.resolve().is_relative_to(Path(__file__).resolve().parents[1])
    return network.source if source.is_file() and not bundled else network.name


def store_classifier(identifier: DistortionIdentifier | CompactIdentifier) -> tuple[Tensors, Settings]:
    """The fitted values of a classifier by their names in the file."""
    if isinstance(identifier, CompactIdentifier):
        tensors = _common_tensors(identifier.presence, identifier.level_widening, identifier.novelty)
        tensors["estimate_stretch"] = identifier.estimate_stretch
        return tensors, {"types": list(identifier.types), "clean_share": identifier.clean_share}
    tensors = _common_tensors(identifier.calibration_, identifier.widening_, identifier.novelty_)
    for name, key in PART_TENSORS.items():
        tensors |= {f"{name}.{index}": value for index, value in enumerate(getattr(identifier, key))}
    for index, head in enumerate(identifier.heads_):
        tensors |= {f"heads.{index}.{key}": value for key, value in head.state_dict().items()}
    head_settings = dataclasses.asdict(identifier.head or HeadSettings())
    return tensors, {
        "types": list(identifier.types),
        "parts": list(identifier.parts) if identifier.parts else None,
        "components": identifier.components,
        "folds": identifier.folds,
        "clean_share": identifier.clean_share,
        "seed": identifier.seed,
        "head": {EPOCHS_IN_FILE if key == EPOCHS else key: value for key, value in head_settings.items()},
    }


def _common_tensors(presence: PresenceCalibration, widening: Tensor, novelty: NoveltyMeasure) -> Tensors:
    tensors = {
        "calibration": presence.weights,
        "widening": widening,
        "fitted_clean_share": presence.fitted_clean_share,
    }
    return tensors | {f"novelty.{name}": getattr(novelty, key) for name, key in NOVELTY_TENSORS.items()}


def load_classifier(
    tensors: Tensors, settings: Settings, descriptor: Descriptor | TrunkDescriptor
) -> DistortionIdentifier | CompactIdentifier:
    """What `store_classifier` stored; raises `KeyError`, `TypeError` or `ValueError` if something is missing or odd."""
    _check(settings)
    presence = PresenceCalibration(tensors["calibration"], tensors["fitted_clean_share"])
    novelty = NoveltyMeasure()
    for name, key in NOVELTY_TENSORS.items():
        setattr(novelty, key, tensors[f"novelty.{name}"])
    if "head" not in settings:
        if not isinstance(descriptor, TrunkDescriptor) or descriptor.network.types != len(settings["types"]):
            raise ValueError("its types are not those of its network")
        return CompactIdentifier(
            descriptor.network,
            tuple(settings["types"]),
            presence,
            tensors["widening"],
            tensors["estimate_stretch"],
            novelty,
            settings["clean_share"],
        )
    head = {EPOCHS if key == EPOCHS_IN_FILE else key: value for key, value in settings["head"].items()}
    identifier = DistortionIdentifier(
        settings["types"],
        parts=settings["parts"],
        components=settings["components"],
        folds=settings["folds"],
        clean_share=settings["clean_share"],
        head=HeadSettings(**head),
        seed=settings["seed"],
    )
    count = len(identifier.parts or [0])
    for name, key in PART_TENSORS.items():
        setattr(identifier, key, [tensors[f"{name}.{index}"] for index in range(count)])
    identifier.calibration_, identifier.widening_, identifier.novelty_ = presence, tensors["widening"], novelty
    with AllocationLimit(tensors.values()):
        identifier.heads_ = [_head(tensors, index, identifier) for index in range(identifier.folds)]
    return identifier


def _check(settings: Settings) -> None:
    kinds = {"types": list, "groups": dict, "about": dict, "clean_share": float}
    if "head" in settings:
        kinds |= {"folds": int, "head": dict}
    for key, kind in kinds.items():
        if not isinstance(settings[key], kind):
            raise TypeError(f"{key} is no {kind.__name__}")
    if not all(isinstance(text, str) for text in [*settings["types"], *settings["groups"].values()]):
        raise TypeError("types and groups are texts")
    if settings.get("folds", 1) < 1 or not 0 < settings["clean_share"] < 1:
        raise ValueError("folds or clean_share out of range")


def _head(tensors: Tensors, index: int, identifier: DistortionIdentifier) -> Head:
    prefix = f"heads.{index}."
    size = sum(basis.shape[1] for basis in identifier.bases_)
    head = Head(size, len(identifier.types), identifier.head or HeadSettings())
    head.load_state_dict({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
    return head.eval()
