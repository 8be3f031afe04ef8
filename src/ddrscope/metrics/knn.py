"""k-NN accuracy on held-out photographs."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier

from ddrscope.metrics.design import encode


def knn_accuracy(
    points: np.ndarray, labels: np.ndarray, photos: np.ndarray, neighbours: int = 5, folds: int = 5
) -> tuple[float, np.ndarray]:
    """Cross-validated accuracy of a k-NN classifier; all rows of a photograph are in one fold.

    Args:
        points: Points (n, d).
        labels: The group of each point (n,).
        photos: The photograph of each point (n,).
        neighbours: Number of neighbours.
        folds: Number of folds; the number of photographs if that is less.

    Returns:
        The accuracy (chance is 1/k for k groups of equal size), and 1.0 for each row that is classified correctly, else
        0.0 (n,). All NaN for one photograph, since there is nothing to fit to.
    """
    codes, folds = encode(labels), min(folds, len(np.unique(photos)))
    correct = np.full(len(codes), np.nan)
    if folds >= 2 and points.shape[1]:
        for train, test in GroupKFold(folds).split(points, groups=photos):
            classifier = KNeighborsClassifier(min(neighbours, len(train))).fit(points[train], codes[train])
            correct[test] = classifier.predict(points[test]) == codes[test]
    return float(correct.mean()), correct
