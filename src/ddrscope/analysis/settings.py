"""The settings of an analysis."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from ddrscope.degradations import Pipeline, parse_degradation
from ddrscope.errors import InputError
from ddrscope.features import VIEWS, Precision
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import check_precision
from ddrscope.images import check_photo_from
from ddrscope.metrics.measures import Content

DEFAULT_NETWORKS = ("srresnet-wgr", "srresnet-wogr")
DEFAULT_DEGRADATIONS = ("clean", "blur:4", "noise:20")
MAX_TSNE_SEEDS = 20


@dataclass(frozen=True)
class AnalysisSettings:
    """The parameters of `ddrscope.analyze` that decide its numbers, checked; `analyze` documents them.

    Raises:
        InputError: A parameter is out of range or unknown, or there is nothing to compare.
    """

    networks: tuple[str, ...] = DEFAULT_NETWORKS
    images: tuple[str, ...] = ()
    degradations: tuple[str, ...] = DEFAULT_DEGRADATIONS
    sets: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    output_layers: Mapping[str, str] = field(default_factory=dict)
    views: tuple[str, ...] = tuple(VIEWS)
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    global_residual: bool | None = None
    allow_torchscript: bool = False
    crop: int = 128
    limit: int | None = None
    content: Content = "image"
    photo_from: str = "prefix"
    seed: int = 0
    tsne_seeds: int = 3
    precision: Precision = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        self._check_networks()
        self._check_groups()
        self._check_ranges()
        for view in self.views:
            if view not in VIEWS:
                raise InputError(f"`views`={view} is unknown: choose {' or '.join(VIEWS)}")
        if not self.views:
            raise InputError(f"`views` is empty: give {' or '.join(VIEWS)}")
        if self.content not in get_args(Content):
            raise InputError(f"`content`={self.content} is unknown: choose {' or '.join(get_args(Content))}")
        check_precision(self.precision)
        object.__setattr__(self, "photo_from", check_photo_from(self.photo_from))
        object.__setattr__(self, "device", resolve_device(self.device))

    def _check_networks(self) -> None:
        if len(set(self.networks)) < len(self.networks):
            raise InputError("a network is given twice: give each once")
        if not self.networks and not self.checkpoints:
            raise InputError("no network is given: give one, or `checkpoints`")

    def _check_groups(self) -> None:
        texts = [pipeline.text for pipeline in self.pipelines()]
        if len(set(texts)) < len(texts):
            raise InputError(f"`degradations` has the same degradation twice among {', '.join(texts)}: leave one out")
        for name in self.sets:
            if name in texts:
                raise InputError(f"`sets` has the name of a degradation, {name}: choose another name")
        if len(texts) + len(self.sets) < 2:
            raise InputError("there is only one group: give two or more of `degradations` and `sets`")

    def _check_ranges(self) -> None:
        if self.crop < 8:
            raise InputError(f"`crop`={self.crop} is too small: give 8 or more HR pixels")
        if self.limit is not None and self.limit < 2:
            raise InputError(f"`limit`={self.limit} leaves nothing to compare: give 2 or more images")
        if not 1 <= self.tsne_seeds <= MAX_TSNE_SEEDS:
            raise InputError(f"`tsne_seeds`={self.tsne_seeds} is out of range: give 1 to {MAX_TSNE_SEEDS}")

    def pipelines(self) -> list[Pipeline]:
        """The degradations, parsed."""
        return [parse_degradation(text) for text in self.degradations]

    def layers_of(self, names: Collection[str]) -> list[str] | None:
        """The patterns of layers for a network that has ``names``: those for all networks and its own; None: default."""
        if self.layers is None:
            return None
        named = [_split(text) for text in self.layers]
        own = [pattern for name, pattern in named if name in names]
        # A network that is not named while others are keeps its default layers.
        common = [pattern for name, pattern in named if name is None]
        return [*common, *own] if common or own or not self.layers else None

    def output_layer_of(self, names: Collection[str]) -> str | None:
        """The last HR layer that is given for a network that has ``names``; None: as it is found."""
        return next((layer for name, layer in self.output_layers.items() if name in names), None)

    def check_names(self, known: Collection[str]) -> None:
        """Raise `InputError` if ``layers`` or ``output_layers`` name a network that is not among ``known``."""
        layers = [name for name, _ in map(_split, self.layers or ()) if name is not None]
        for parameter, names in (("layers", layers), ("output_layers", self.output_layers)):
            for name in names:
                if name not in known:
                    raise InputError(f"`{parameter}` names {name}, which is none of the networks: {', '.join(known)}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values, paths as they were given."""
        return dataclasses.asdict(self)


def _split(text: str) -> tuple[str | None, str]:
    """NAME=LAYER as (name, layer); a LAYER for every network has no name."""
    name, equals, layer = text.rpartition("=")
    return (name, layer) if equals else (None, layer)
