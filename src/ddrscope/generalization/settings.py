"""What a generalization run is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import check_precision
from ddrscope.generalization.score import COMPONENTS
from ddrscope.images import check_photo_from

# The paper's patches: 32 pixels at the input, 128 after enlarging four times.
PATCH_SIDE = 128
PATCHES = 800
CLEAN = "clean"


@dataclass(frozen=True)
class GeneralizationSettings:
    """Networks and sets to score; ``patch`` is the side in pixels of the large image, ``patches`` the number in each set."""

    networks: tuple[str, ...]
    images: tuple[str, ...] = ()
    degradations: tuple[str, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    reference: str = CLEAN
    patches: int = PATCHES
    patch: int = PATCH_SIDE
    components: int = COMPONENTS
    resamples: int = 1000
    layer: str | None = None
    seed: int = 0
    precision: Precision = "float32"
    device: str = "auto"
    global_residual: bool | None = None
    allow_torchscript: bool = False
    photo_from: str = "prefix"

    def __post_init__(self) -> None:
        check_precision(self.precision)
        object.__setattr__(self, "device", resolve_device(self.device))
        object.__setattr__(self, "photo_from", check_photo_from(self.photo_from))
        if self.components < 1:
            raise InputError(f"--components {self.components} leave nothing to fit: give 1 or more")
        if self.patch < 8:
            raise InputError(f"--patch {self.patch} is too small: give 8 or more HR pixels")
        if self.resamples < 1:
            raise InputError(f"resamples = {self.resamples} make no interval: give 1 or more")
        if self.patches <= self.components:
            raise InputError(
                f"--patches {self.patches} are too few for {self.components} principal components: give at least {self.components + 1}"
            )
        # One text for one degradation: blur:2.0 is blur:2.
        texts = tuple(dict.fromkeys(parse_degradation(text).text for text in self.degradations))
        object.__setattr__(self, "degradations", texts)
        if self.reference not in self.sets:
            object.__setattr__(self, "reference", parse_degradation(self.reference).text)
        if not {*texts, *self.sets} - {self.reference}:
            raise InputError("nothing to score beside the reference: give --suite, --degrade or --set")
        if self.reference not in (*texts, *self.sets, CLEAN):
            raise InputError(f"--reference {self.reference} is none of the sets: name one of --degrade or --set")
        for name in self.sets:
            if name in (*texts, CLEAN) and name != self.reference or name in texts:
                raise InputError(f"two sets are called {name}: give --set another name")

    def texts(self) -> tuple[str, ...]:
        """The degradations of clean images, with the reference where it is one of them."""
        return (
            self.degradations
            if self.reference in (*self.degradations, *self.sets)
            else (self.reference, *self.degradations)
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self) | {"sets": dict(self.sets)}
