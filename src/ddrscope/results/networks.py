"""What a result records about a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NetworkInfo:
    """A network as a result records it; see `ddrscope.networks.Network` for the meaning of the fields."""

    name: str
    scale: int
    channels: int
    architecture: str
    global_residual: bool | None
    global_residual_source: str | None
    residual_interpolation: str | None
    layers: tuple[str, ...]
    last_hr_layer: str | None
    minimum_size: int
    size_multiple: int
    notes: tuple[str, ...]
    source: str
    sha256: str
    parameters: int

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self) | {"layers": list(self.layers), "notes": list(self.notes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NetworkInfo:
        """The fields from JSON values, as `to_json` and `ddrscope.networks.Network.describe` give them.

        Raises:
            KeyError: A field is missing.
            TypeError: A list is something else.
        """
        fields = {field.name: value[field.name] for field in dataclasses.fields(cls)}
        texts = {key: tuple(map(str, fields[key])) for key in ("layers", "notes")}
        return cls(**fields | texts | {"name": str(fields["name"])})
