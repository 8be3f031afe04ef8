"""How well the nearest neighbours of a point, among other photographs, tell its group."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier

from ddrscope.metrics.design import encode


def knn_accuracy(
    points: np.ndarray, labels: np.ndarray, photos: np.ndarray, neighbours: int = 5, folds: int = 5
) -> tuple[float, np.ndarray]:
    """Cross-validated k-NN accuracy (chance 1/k if balanced) and whether each row was told right, (n,) of 1.0 or 0.0.

    `points` (n, d); all rows of a photograph fall in one fold. Fewer photographs than folds leave one out at a time;
    with one photograph there is nothing to learn from and all is NaN.
    """
    codes, folds = encode(labels), min(folds, len(np.unique(photos)))
    right = np.full(len(codes), np.nan)
    if folds >= 2 and points.shape[1]:
        for train, test in GroupKFold(folds).split(points, groups=photos):
            classifier = KNeighborsClassifier(min(neighbours, len(train))).fit(points[train], codes[train])
            right[test] = classifier.predict(points[test]) == codes[test]
    return float(right.mean()), right
