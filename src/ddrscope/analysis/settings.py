"""What an analysis is asked to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ddrscope.degradations import Pipeline, parse_degradation
from ddrscope.errors import InputError
from ddrscope.features import VIEWS, Precision
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import check_precision
from ddrscope.images import check_photo_from
from ddrscope.metrics.layer_measures import Content

DEFAULT_NETWORKS = ("srresnet-wgr", "srresnet-wogr")
DEFAULT_DEGRADATIONS = ("clean", "blur:4", "noise:20")


@dataclass(frozen=True)
class AnalysisSettings:
    """The options of `analyze`, checked; two runs with equal settings give equal numbers.

    ``images`` are folders, globs, lists or files of clean images, degraded by each of ``degradations``; ``sets`` maps names to folders of
    images that are degraded already and fed to the network as they are. ``crop`` is in HR pixels. ``layers`` are layer texts or
    globs; None takes each network's default layers. ``series`` maps names to globs of checkpoints. ``tsne_seeds`` planes are drawn
    of each layer. ``photo_from`` is the rule by which images belong to photographs (`ddrscope.images.photographs.RULES`).
    """

    networks: tuple[str, ...] = DEFAULT_NETWORKS
    images: tuple[str, ...] = ()
    degradations: tuple[str, ...] = DEFAULT_DEGRADATIONS
    sets: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    views: tuple[str, ...] = ("flattened", "pooled")
    series: Mapping[str, str] = field(default_factory=dict)
    global_residual: bool | None = None
    allow_torchscript: bool = False
    crop: int = 128
    limit: int | None = None
    content: Content = "picture"
    photo_from: str = "prefix"
    seed: int = 0
    tsne_seeds: int = 3
    precision: Precision = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        for view in self.views:
            if view not in VIEWS:
                raise InputError(f"--view {view!r} is unknown: choose {' or '.join(VIEWS)}")
        if len(set(self.networks)) < len(self.networks):
            raise InputError("a network is named twice: name each once")
        if not self.networks and not self.series:
            raise InputError("no network is named: give one, or --series NAME=GLOB")
        texts = [pipeline.text for pipeline in self.pipelines()]
        if len(set(texts)) < len(texts):
            raise InputError(f"--degrade names the same degradation twice among {', '.join(texts)}: leave one out")
        for name in self.sets:
            if name in texts:
                raise InputError(f"--set {name!r} has the name of a degradation: choose another name")
        if len(texts) + len(self.sets) < 2:
            raise InputError("one group cannot be told from another: give two or more of --degrade and --set")
        if self.crop < 8:
            raise InputError(f"--crop {self.crop} is too small: give 8 or more HR pixels")
        if self.content not in get_args(Content):
            raise InputError(f"--content {self.content} is unknown: choose {' or '.join(get_args(Content))}")
        object.__setattr__(self, "photo_from", check_photo_from(self.photo_from))
        check_precision(self.precision)
        object.__setattr__(self, "device", resolve_device(self.device))
        if self.limit is not None and self.limit < 2:
            raise InputError(f"--limit {self.limit} leaves nothing to compare: give 2 or more images")
        if not 1 <= self.tsne_seeds <= 20:
            raise InputError(f"--tsne-seeds {self.tsne_seeds} is out of range: give 1 to 20")

    def pipelines(self) -> list[Pipeline]:
        """The degradations, parsed."""
        return [parse_degradation(text) for text in self.degradations]

    def to_dict(self) -> dict[str, Any]:
        """The settings in plain types, with paths as they were given."""
        return dataclasses.asdict(self)


def as_texts(sources: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    """One path or several as a tuple of texts."""
    return (str(sources),) if isinstance(sources, str | Path) else tuple(str(source) for source in sources)
