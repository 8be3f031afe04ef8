"""What a generalization run is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.generalization.score import COMPONENTS

# The paper's patches: 32 pixels at the input, 128 after enlarging four times.
PATCH_SIDE = 128
PATCHES = 800


@dataclass(frozen=True)
class GeneralizationSettings:
    """Networks and sets to score; ``patch`` is the side in pixels of the large picture, ``patches`` the number in each set."""

    networks: tuple[str, ...]
    images: tuple[str, ...] = ()
    degradations: tuple[str, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    reference: str = "clean"
    patches: int = PATCHES
    patch: int = PATCH_SIDE
    components: int = COMPONENTS
    resamples: int = 1000
    layer: str | None = None
    seed: int = 0
    precision: Precision = "float32"
    device: str = "cpu"
    global_residual: bool | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        if self.patches <= self.components:
            raise InputError(
                f"--patches {self.patches} are too few for {self.components} principal components: give at least {self.components + 1}"
            )
        if not self.degradations and not self.sets:
            raise InputError("nothing to score: give --suite, --degrade or --set")
        if self.reference not in self.sets and "clean" != self.reference and self.reference not in self.degradations:
            raise InputError(f"--reference {self.reference} is none of the sets: name one of --degrade or --set")

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self) | {"sets": dict(self.sets)}
