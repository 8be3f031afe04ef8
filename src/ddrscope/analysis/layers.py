"""The measures of one layer: PCA and t-SNE of its Gram matrix, and every number of `analysis.json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from ddrscope.analysis.grams import LayerGram
from ddrscope.analysis.input_rows import Samples
from ddrscope.embedding.pca import pca_scores
from ddrscope.embedding.tsne import TsneMap
from ddrscope.metrics.design import Design
from ddrscope.metrics.layer_measures import Content, measure, measure_planes
from ddrscope.metrics.level_path import path_spearman

COMPONENTS = 50


@dataclass(frozen=True)
class MeasuredLayer:
    """One entry of ``layers[]``, the same with shuffled labels, and the t-SNE planes by seed."""

    row: dict[str, Any]
    shuffled: dict[str, Any]
    planes: dict[int, np.ndarray]
    adapted: str


def measure_layers(
    grams: list[LayerGram],
    samples: Samples,
    content: Content,
    seed: int,
    plane_seeds: Callable[[LayerGram], list[int]],
    threads: int,
    step: Callable[[int], None] = lambda _: None,
) -> list[MeasuredLayer]:
    """Measure every layer and view; ``plane_seeds`` says which t-SNE planes each gets; ``step`` is called after each.

    Each layer is computed by one thread, so the numbers do not depend on ``threads``.
    """
    depths = _depths(grams)
    design, families = samples.design, _families(samples)
    jobs = [
        joblib.delayed(_measure_layer)(gram, depths[gram.layer], design, families, content, seed, plane_seeds(gram))
        for gram in grams
    ]
    measured = []
    for layer in joblib.Parallel(n_jobs=min(threads, len(jobs)), return_as="generator")(jobs):
        measured.append(layer)
        step(1)
    return measured


def _measure_layer(
    gram: LayerGram,
    depth: float,
    design: Design,
    families: dict[str, np.ndarray],
    content: Content,
    seed: int,
    plane_seeds: list[int],
) -> MeasuredLayer:
    with threadpool_limits(1):
        scores = pca_scores(gram.value, COMPONENTS)
        maps = [TsneMap(plane_seed).fit(scores) for plane_seed in plane_seeds]
        head = {"layer": gram.layer, "view": gram.view, "depth": depth, "features": gram.features}
        tail: dict[str, Any] = {"perplexity": maps[0].perplexity_ if maps else None}
        rows = []
        for labels in (design, design.shuffled(seed)):
            numbers: dict[str, Any] = measure(scores, gram.value, labels, content, seed=seed)
            planes = [plane.embedding_ for plane in maps]
            numbers |= measure_planes(planes, labels, content) if maps else _no_planes()
            rows.append(head | numbers | tail)
        rows[0]["paths"] = [_path(family, levels, scores, design) for family, levels in families.items()]
    embeddings = {plane.seed: plane.embedding_ for plane in maps}
    return MeasuredLayer(rows[0], rows[1], embeddings, maps[0].adapted_ if maps else "")


def _no_planes() -> dict[str, None]:
    return {f"chi_{kind}{end}": None for kind in ("tsne", "content_tsne") for end in ("", "_low", "_high")}


def _depths(grams: list[LayerGram]) -> dict[str, float]:
    layers = list(dict.fromkeys(gram.layer for gram in grams))
    return {layer: (index + 1) / len(layers) for index, layer in enumerate(layers)}


def _families(samples: Samples) -> dict[str, np.ndarray]:
    """For each family with two levels or more: every row's level on its scale, NaN where it has none.

    Clean images stand at the family's neutral level, where it has one.
    """
    families: dict[str, np.ndarray] = {}
    for family, neutral in {
        row.family: row.neutral for row in samples.rows if row.family not in (None, "clean")
    }.items():
        levels = [
            row.level if row.family == family else neutral if row.family == "clean" else None for row in samples.rows
        ]
        column = np.array(levels, dtype=float)
        own = {row.level for row in samples.rows if row.family == family and row.level is not None}
        if len(own) >= 2:
            families[str(family)] = column
    return families


def _path(family: str, levels: np.ndarray, scores: np.ndarray, design: Design) -> dict[str, Any]:
    """How the levels of a family lie: their centroids in the plane that holds most of their spread, and Spearman's correlation."""
    rows = np.flatnonzero(np.isfinite(levels))
    values = np.unique(levels[rows])
    centroids = np.stack([scores[levels == value].mean(axis=0) for value in values])
    correlation, low, high = path_spearman(scores[rows], levels[rows], design.photos[rows])
    return {
        "family": family,
        "levels": values.tolist(),
        "centroids": _principal_plane(centroids).tolist(),
        "spearman": correlation,
        "spearman_low": low,
        "spearman_high": high,
    }


def _principal_plane(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(axis=0)
    plane = pca_scores(centred @ centred.T, 2)
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
