"""The settings of a generalization run."""

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

# As in the paper: 32 pixels at the input of a x4 network, 128 at its output.
PATCH_SIDE = 128
PATCHES = 800
RESAMPLES = 1000
CLEAN = "clean"


@dataclass(frozen=True)
class GeneralizationSettings:
    """What to score; see `ddrscope.generalize` for the meaning of the fields.

    Degradations are brought into their canonical text, and ``device`` is resolved.

    Raises:
        InputError: A value is out of range, or there is nothing to score.
    """

    networks: tuple[str, ...]
    images: tuple[str, ...] = ()
    degradations: tuple[str, ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    reference: str = CLEAN
    patches: int = PATCHES
    patch: int = PATCH_SIDE
    components: int = COMPONENTS
    resamples: int = RESAMPLES
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
        # blur:2.0 is blur:2.
        texts = tuple(dict.fromkeys(parse_degradation(text).text for text in self.degradations))
        object.__setattr__(self, "degradations", texts)
        if self.reference not in self.sets:
            object.__setattr__(self, "reference", parse_degradation(self.reference).text)
        self._check_numbers()
        self._check_sets()

    @property
    def degraded_sets(self) -> tuple[str, ...]:
        """The sets that are made by degrading clean images; the reference is among them unless it is a given set."""
        if self.reference in (*self.degradations, *self.sets):
            return self.degradations
        return (self.reference, *self.degradations)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self) | {"sets": dict(self.sets)}

    def _check_numbers(self) -> None:
        if self.components < 1:
            raise InputError(f"`components`={self.components} is too small: give 1 or more")
        if self.patch < 8:
            raise InputError(f"`patch`={self.patch} is too small: give 8 or more HR pixels")
        if self.resamples < 1:
            raise InputError(f"`resamples`={self.resamples} is too small: give 1 or more")
        if self.patches <= self.components:
            raise InputError(
                f"`patches`={self.patches} is too small for {self.components} principal components: "
                f"give at least {self.components + 1}"
            )

    def _check_sets(self) -> None:
        texts = self.degradations
        if not {*texts, *self.sets} - {self.reference}:
            raise InputError("there is nothing to score beside the reference: give `suite`, `degradations` or `sets`")
        if self.reference not in (*texts, *self.sets, CLEAN):
            raise InputError(
                f"`reference`={self.reference} is none of the sets: give one of `degradations` or a name of `sets`"
            )
        if "" in self.sets:
            raise InputError("a name in `sets` is empty: give each set a name")
        for name in self.sets:
            if name in texts or (name == CLEAN and name != self.reference):
                raise InputError(f"two sets are called {name}: choose another name in `sets`")
