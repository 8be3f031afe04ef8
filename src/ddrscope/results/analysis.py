"""The result of an analysis: the content of ``analysis.json``, ``embedding.parquet`` and ``thumbnails.parquet``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import pandas as pd

from ddrscope.errors import InputError, printable
from ddrscope.io.files import atomic_write, read_json, write_json
from ddrscope.metrics.measures import Content
from ddrscope.results.analyzed_networks import AnalyzedNetwork, CheckpointSeries, Control
from ddrscope.results.skipped import SkippedImage

ANALYSIS_FILE = "analysis.json"
TABLES = ("embedding", "thumbnails")
EMBEDDING_COLUMNS = (
    "network", "layer", "view", "control", "picture", "photo", "degradation", "level", "x", "y", "seed",
)  # fmt: skip

Answer = Literal["degradation", "content", "undecided", "neither"]


@dataclass(frozen=True)
class Verdict:
    """Whether the features of a network cluster by degradation or by content, in one view.

    Args:
        network: Name of the network.
        view: ``flattened`` or ``pooled``.
        answer: ``degradation``, ``content``, ``undecided`` or ``neither``, for the last HR layer.
        layer: The layer with the highest degradation share.
        sentence: The answer with its numbers.
    """

    network: str
    view: str
    answer: Answer
    layer: str
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """The networks ranked by how much their last HR layer clusters by degradation, in one view, and in a sentence."""

    view: str
    ranking: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, eq=False)
class AnalysisData:
    """The numbers, texts and tables of an analysis.

    Args:
        images: Number of images.
        photos: Number of photographs that the images come from.
        groups: The degradations (canonical text) or the names of the sets, in the order given.
        balanced: Whether every image occurs in every group exactly once; shares and p-values are NaN otherwise.
        content: What one content group is, ``image``, ``photo`` or ``folder``.
        content_groups: Number of content groups.
        skipped: The image files that could not be read.
        notes: What was adapted or left out, and why.
        networks: The networks, in the order given.
        controls: Their controls.
        series: The series of checkpoints.
        verdicts: One for each network and view.
        comparisons: One for each view, of two or more networks.
        settings: The parameters of the analysis, as JSON values.
        manifest: Settings, versions, machine and time, as JSON values.
        embedding: A row for each point of each t-SNE plane, with the columns `EMBEDDING_COLUMNS`. ``control`` is empty
            for the networks.
        thumbnails: The columns ``picture``, ``degradation`` and ``jpeg`` (bytes): each image as it enters a network, at
            most 64 pixels a side.
    """

    images: int
    photos: int
    groups: tuple[str, ...]
    balanced: bool
    content: Content
    content_groups: int
    skipped: tuple[SkippedImage, ...]
    notes: tuple[str, ...]
    networks: tuple[AnalyzedNetwork, ...]
    controls: tuple[Control, ...]
    series: tuple[CheckpointSeries, ...]
    verdicts: tuple[Verdict, ...]
    comparisons: tuple[Comparison, ...]
    settings: Mapping[str, Any]
    manifest: Mapping[str, Any]
    embedding: pd.DataFrame
    thumbnails: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """The content of ``analysis.json``."""
        return {
            "images": self.images,
            "photos": self.photos,
            "groups": list(self.groups),
            "balanced": self.balanced,
            "content": self.content,
            "content_groups": self.content_groups,
            "skipped": [image.to_json() for image in self.skipped],
            "notes": list(self.notes),
            "networks": [entry.to_json() for entry in self.networks],
            "controls": [control.to_json() for control in self.controls],
            "series": [series.to_json() for series in self.series],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "comparisons": [
                asdict(comparison) | {"ranking": list(comparison.ranking)} for comparison in self.comparisons
            ],
            "settings": dict(self.settings),
            "manifest": dict(self.manifest),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], embedding: pd.DataFrame, thumbnails: pd.DataFrame) -> Self:
        """The result from the content of ``analysis.json`` and its tables.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It is not the content of such a file.
        """
        return cls(
            images=int(value["images"]),
            photos=int(value["photos"]),
            groups=tuple(map(str, value["groups"])),
            balanced=bool(value["balanced"]),
            content=cast(Content, _one_of(value["content"], get_args(Content))),
            # Before version 0.3, results did not have it, and content groups were images or photographs.
            content_groups=int(value.get("content_groups") or value[f"{value['content']}s"]),
            skipped=tuple(map(SkippedImage.from_json, value["skipped"])),
            notes=tuple(map(str, value["notes"])),
            networks=tuple(map(AnalyzedNetwork.from_json, value["networks"])),
            controls=tuple(map(Control.from_json, value["controls"])),
            series=tuple(map(CheckpointSeries.from_json, value["series"])),
            verdicts=tuple(map(_verdict, value["verdicts"])),
            comparisons=tuple(map(_comparison, value["comparisons"])),
            settings=dict(value["settings"]),
            manifest=dict(value["manifest"]),
            embedding=embedding,
            thumbnails=thumbnails,
        )

    def write(self, folder: Path) -> None:
        """Write ``embedding.parquet``, ``thumbnails.parquet`` and, last, ``analysis.json`` into a folder."""
        for name in TABLES:
            with atomic_write(folder / f"{name}.parquet") as temporary:
                getattr(self, name).to_parquet(temporary, index=False)
        write_json(folder / ANALYSIS_FILE, self.to_json())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The result that `write` wrote.

        Raises:
            InputError: The folder holds no finished analysis, or a damaged one.
        """
        try:
            document = read_json(folder / ANALYSIS_FILE)
            tables = [pd.read_parquet(folder / f"{name}.parquet") for name in TABLES]
            return cls.from_json(document, *tables)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = printable(f"{type(error).__name__}: {error}")[:200]
            raise InputError(f"{folder} holds no finished analysis ({reason}): run the analysis again") from None


def _verdict(value: Mapping[str, Any]) -> Verdict:
    return Verdict(
        network=str(value["network"]),
        view=str(value["view"]),
        answer=cast(Answer, _one_of(value["answer"], get_args(Answer))),
        layer=str(value["layer"]),
        sentence=str(value["sentence"]),
    )


def _comparison(value: Mapping[str, Any]) -> Comparison:
    return Comparison(str(value["view"]), tuple(map(str, value["ranking"])), str(value["sentence"]))


def _one_of(value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(choices)}")
    return value
