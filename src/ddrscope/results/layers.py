"""The measures of one layer, as in ``layers[]`` of ``analysis.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.measures import Measures, PlaneMeasures

MEASURES = tuple(field.name for kind in (Measures, PlaneMeasures) for field in fields(kind))
# Those that depend on what a content group is.
OPTIONAL = ("photo_share", "class_share")
# Those that every layer has as an estimate.
ESTIMATES = tuple(name for name in MEASURES if name not in (*OPTIONAL, "p_value", "n", "k"))


@dataclass(frozen=True)
class LevelPath:
    """How the levels of one family of degradations lie at a layer.

    Args:
        family: Name of the family, such as ``blur``.
        levels: The levels, ascending; clean images count as the level that changes nothing, where there is one.
        centroids: For each level its centroid (x, y), in the plane of the largest spread of the centroids.
        spearman: Correlation between the difference of levels and the distance of their centroids in PCA space.
    """

    family: str
    levels: tuple[float, ...]
    centroids: tuple[tuple[float, float], ...]
    spearman: Estimate

    def to_json(self) -> dict[str, Any]:
        """The path as JSON values."""
        return {
            "family": self.family,
            "levels": list(self.levels),
            "centroids": [list(point) for point in self.centroids],
        } | self.spearman.to_columns("spearman")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LevelPath:
        """The path that `to_json` wrote."""
        centroids = tuple((float(x), float(y)) for x, y in value["centroids"])
        return cls(
            str(value["family"]),
            tuple(map(float, value["levels"])),
            centroids,
            Estimate.from_columns(value, "spearman"),
        )


@dataclass(frozen=True, kw_only=True)
class LayerMeasures(PlaneMeasures, Measures):
    """All measures of one layer in one view. `Measures` and `PlaneMeasures` document the inherited fields.

    Args:
        layer: Name of the layer.
        view: ``flattened`` or ``pooled``.
        depth: Position among the analysed layers of the network, 0..1; 1 is the last HR layer.
        features: Number of features.
        perplexity: Perplexity of the t-SNE planes; None where there is none.
        paths: A path for each family with two or more levels; None where paths are not computed (shuffled labels).
    """

    layer: str
    view: str
    depth: float
    features: int
    perplexity: float | None = None
    paths: tuple[LevelPath, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The measures as JSON values: an estimate ``x`` gives ``x``, ``x_low`` and ``x_high``."""
        values: dict[str, Any] = {
            "layer": self.layer,
            "view": self.view,
            "depth": self.depth,
            "features": self.features,
        }
        for name in MEASURES:
            value = getattr(self, name)
            if isinstance(value, Estimate):
                values |= value.to_columns(name)
            elif value is not None:
                values[name] = value
        values["perplexity"] = self.perplexity
        return values if self.paths is None else values | {"paths": [path.to_json() for path in self.paths]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LayerMeasures:
        """The measures that `to_json` wrote."""
        estimates = {name: Estimate.from_columns(value, name) for name in ESTIMATES}
        perplexity, paths = value.get("perplexity"), value.get("paths")
        return cls(
            **estimates,
            photo_share=_optional(value, "photo_share"),
            class_share=_optional(value, "class_share"),
            p_value=Estimate.from_columns(value, "p_value").value,
            n=int(value["n"]),
            k=int(value["k"]),
            layer=str(value["layer"]),
            view=str(value["view"]),
            depth=float(value["depth"]),
            features=int(value["features"]),
            perplexity=None if perplexity is None else float(perplexity),
            paths=None if paths is None else tuple(map(LevelPath.from_json, paths)),
        )


def _optional(value: Mapping[str, Any], name: str) -> Estimate | None:
    return Estimate.from_columns(value, name) if name in value else None


def views_of(layers: Iterable[LayerMeasures]) -> list[str]:
    """The views of some layers, each once, in order."""
    return list(dict.fromkeys(layer.view for layer in layers))


def in_view(layers: Iterable[LayerMeasures], view: str) -> list[LayerMeasures]:
    """The layers in one view, in forward order."""
    return [layer for layer in layers if layer.view == view]
