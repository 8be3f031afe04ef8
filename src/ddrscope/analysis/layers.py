"""The measures of one layer: from its Gram matrix to PCA, t-SNE planes and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from ddrscope.analysis.grams import LayerGram
from ddrscope.analysis.input_rows import InputRows
from ddrscope.embedding.pca import pca_scores
from ddrscope.embedding.tsne import TsneMap
from ddrscope.metrics.design import Design
from ddrscope.metrics.layer_measures import measure, measure_planes
from ddrscope.metrics.level_path import path_spearman
from ddrscope.metrics.measures import Content, PlaneMeasures
from ddrscope.results.layers import LayerMeasures, LevelPath

COMPONENTS = 50


@dataclass(frozen=True)
class MeasuredLayer:
    """One layer in one view, measured.

    Args:
        measures: Its measures.
        shuffled: Its measures with shuffled labels.
        planes: The points of the t-SNE plane of each seed, shape (n, 2).
        note: How t-SNE was adapted to few points; empty if it was not.
    """

    measures: LayerMeasures
    shuffled: LayerMeasures
    planes: Mapping[int, np.ndarray]
    note: str


@dataclass(frozen=True)
class LayerMeter:
    """Measures the layers of networks with the same inputs.

    Args:
        design: The image, photograph and group of each row.
        levels: The level of each row, by family; see `InputRows.levels`.
        content: What one content group is.
        seed: Seed of permutations and shuffled labels.
        threads: Layers that are measured at the same time. Each is computed by one thread, so the numbers do not depend
            on it.
    """

    design: Design
    levels: Mapping[str, np.ndarray]
    content: Content
    seed: int
    threads: int = 1

    @classmethod
    def of(cls, inputs: InputRows, content: Content, seed: int, threads: int) -> LayerMeter:
        """The meter for some inputs."""
        return cls(inputs.design, inputs.levels(), content, seed, threads)

    def measure(
        self,
        grams: Sequence[LayerGram],
        plane_seeds: Callable[[LayerGram], Sequence[int]] = lambda _: (),
        step: Callable[[int], None] = lambda _: None,
    ) -> list[MeasuredLayer]:
        """Measure all layers of a network.

        Args:
            grams: The Gram matrices in forward order.
            plane_seeds: Gives the seeds of the t-SNE planes of a layer.
            step: Called with 1 after each layer.
        """
        names = list(dict.fromkeys(gram.layer for gram in grams))
        depths = {name: (index + 1) / len(names) for index, name in enumerate(names)}
        jobs = [joblib.delayed(self._measure)(gram, depths[gram.layer], plane_seeds(gram)) for gram in grams]
        measured = []
        for layer in joblib.Parallel(n_jobs=min(self.threads, len(jobs)), return_as="generator")(jobs):
            measured.append(layer)
            step(1)
        return measured

    def _measure(self, gram: LayerGram, depth: float, seeds: Sequence[int]) -> MeasuredLayer:
        with threadpool_limits(1):
            scores = pca_scores(gram.value, COMPONENTS)
            maps = [TsneMap(seed).fit(scores) for seed in seeds]

            def measured(design: Design, paths: tuple[LevelPath, ...] | None) -> LayerMeasures:
                numbers = measure(scores, gram.value, design, self.content, seed=self.seed)
                planes = [plane.embedding_ for plane in maps]
                on_planes = measure_planes(planes, design, self.content) if planes else PlaneMeasures()
                return LayerMeasures(
                    **vars(numbers),
                    **vars(on_planes),
                    layer=gram.layer,
                    view=gram.view,
                    depth=depth,
                    features=gram.features,
                    perplexity=maps[0].perplexity_ if maps else None,
                    paths=paths,
                )

            paths = tuple(level_path(family, levels, scores, self.design) for family, levels in self.levels.items())
            return MeasuredLayer(
                measures=measured(self.design, paths),
                shuffled=measured(self.design.shuffled(self.seed), None),
                planes={plane.seed: plane.embedding_ for plane in maps},
                note=f"t-SNE: {maps[0].adapted_}." if maps and maps[0].adapted_ else "",
            )


def level_path(family: str, levels: np.ndarray, scores: np.ndarray, design: Design) -> LevelPath:
    """How the levels of one family of degradations lie at a layer.

    Args:
        family: Name of the family.
        levels: The level of each row, see `InputRows.levels`, shape (n,).
        scores: PCA scores of the features, shape (n, r).
        design: The photograph of each row.
    """
    rows = np.flatnonzero(np.isfinite(levels))
    values = np.unique(levels[rows])
    centroids = np.stack([scores[levels == value].mean(axis=0) for value in values])
    return LevelPath(
        family=family,
        levels=tuple(values.tolist()),
        centroids=tuple((float(x), float(y)) for x, y in _principal_plane(centroids)),
        spearman=path_spearman(scores[rows], levels[rows], design.photos[rows]),
    )


def _principal_plane(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(axis=0)
    plane = pca_scores(centred @ centred.T, 2)
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
