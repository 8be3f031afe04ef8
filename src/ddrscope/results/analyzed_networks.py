"""Analysed networks, controls and checkpoints: ``networks[]``, ``controls[]`` and ``series[]`` of ``analysis.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from ddrscope.results.layers import LayerMeasures

ControlKind = Literal["random_weights", "shuffled_labels", "pixels"]


@dataclass(frozen=True)
class NetworkSummary:
    """What is known about a network.

    Args:
        name: Its name in the result.
        architecture: Name of the architecture.
        scale: Factor by which it enlarges; 1 for restoration and classification.
        channels: Channels of its input, 1 or 3.
        global_residual: Whether it adds the enlarged input to its output; None where unknown.
        parameters: Number of parameters.
        sha256: SHA-256 of the weights, in hexadecimal.
        notes: Remarks on how it was loaded.
        last_hr_layer: The input of its output convolution, on which the verdict is; empty in results of earlier versions.
        last_hr_layer_size: ``HR`` or ``LR``, the size of that layer, or as ``x2`` one between; empty for vectors.
    """

    name: str
    architecture: str
    scale: int
    channels: int
    global_residual: bool | None
    parameters: int
    sha256: str
    notes: tuple[str, ...]
    last_hr_layer: str = ""
    last_hr_layer_size: str = ""

    def to_json(self) -> dict[str, Any]:
        """The description as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(NetworkSummary)}
        return values | {"notes": list(self.notes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NetworkSummary:
        """The description that `to_json` wrote."""
        return cls(
            name=str(value["name"]),
            architecture=str(value["architecture"]),
            scale=int(value["scale"]),
            channels=int(value["channels"]),
            global_residual=value["global_residual"],
            parameters=int(value["parameters"]),
            sha256=str(value["sha256"]),
            notes=tuple(map(str, value["notes"])),
            last_hr_layer=str(value.get("last_hr_layer", "")),
            last_hr_layer_size=str(value.get("last_hr_layer_size", "")),
        )


@dataclass(frozen=True)
class AnalyzedNetwork:
    """A network and its layers: forward order, every view of each, the last HR layer at the end."""

    summary: NetworkSummary
    layers: tuple[LayerMeasures, ...]

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.summary.name

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return self.summary.to_json() | {"layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AnalyzedNetwork:
        """The entry that `to_json` wrote."""
        return cls(NetworkSummary.from_json(value), _layers(value))


@dataclass(frozen=True)
class Control:
    """Measures that a network is compared with.

    Args:
        name: Its name in the result.
        kind: ``random_weights`` (the same network with new random weights), ``shuffled_labels`` or ``pixels`` (the
            pixels that enter the network).
        network: The network that it belongs to.
        layers: As those of a network.
        summary: The network with random weights; None for the other kinds.
    """

    name: str
    kind: ControlKind
    network: str
    layers: tuple[LayerMeasures, ...]
    summary: NetworkSummary | None = None

    def to_json(self) -> dict[str, Any]:
        """The control as JSON values."""
        layers, kind = {"layers": [layer.to_json() for layer in self.layers]}, {"kind": self.kind}
        if self.summary:
            return self.summary.to_json() | layers | kind | {"network": self.network}
        return {"name": self.name} | kind | {"network": self.network} | layers

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Control:
        """The control that `to_json` wrote."""
        summary = NetworkSummary.from_json(value) if "architecture" in value else None
        return cls(str(value["name"]), value["kind"], str(value["network"]), _layers(value), summary)


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of a series: the stem of its file, its path, and the measures of its last HR layer."""

    label: str
    path: str
    layers: tuple[LayerMeasures, ...]

    def to_json(self) -> dict[str, Any]:
        """The checkpoint as JSON values."""
        return {"label": self.label, "path": self.path, "layers": [layer.to_json() for layer in self.layers]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Checkpoint:
        """The checkpoint that `to_json` wrote."""
        return cls(str(value["label"]), str(value["path"]), _layers(value))


@dataclass(frozen=True)
class CheckpointSeries:
    """The checkpoints of one training, in the order of their steps."""

    name: str
    checkpoints: tuple[Checkpoint, ...]

    def to_json(self) -> dict[str, Any]:
        """The series as JSON values."""
        return {"name": self.name, "checkpoints": [checkpoint.to_json() for checkpoint in self.checkpoints]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CheckpointSeries:
        """The series that `to_json` wrote."""
        return cls(str(value["name"]), tuple(map(Checkpoint.from_json, value["checkpoints"])))


def _layers(value: Mapping[str, Any]) -> tuple[LayerMeasures, ...]:
    return tuple(map(LayerMeasures.from_json, value["layers"]))
