"""The share of the variance of features between classes of photographs."""

from __future__ import annotations

import numpy as np

from ddrscope.metrics.design import encode
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife_estimate


def class_share(gram: np.ndarray, photos: np.ndarray, classes: np.ndarray) -> Estimate:
    """Variance between classes, beyond the variance between the photographs of one class, as a share of all variance.

    With SS_L the sum of squares between c classes, SS_P that between P photographs and MS = (SS_P - SS_L) / (P - c),
    the share is (SS_L - (c-1) MS) / SS_T. It is 0 on average where photographs of one class are no more alike than
    photographs of different ones.

    Args:
        gram: Gram matrix of the features, shape (n, n); it need not be centred.
        photos: The photograph of each row, shape (n,). Its rows have every degradation equally often, as in a balanced
            design, so that classes do not differ in degradation.
        classes: The class of each row, shape (n,); a photograph has one.

    Returns:
        The share with its jackknife interval, which leaves out each photograph within its class; NaN unless there are
        two or more classes, one of them with several photographs. No interval where a class has one photograph only.
    """
    codes = encode(photos)
    by_photo = np.eye(codes.max() + 1)[codes].T
    pairs, sizes = by_photo @ gram @ by_photo.T, by_photo.sum(axis=1)
    squares = by_photo @ np.diagonal(gram)
    class_of = encode(classes)[np.unique(codes, return_index=True)[1]]

    def share(kept: np.ndarray) -> float:
        members = np.eye(class_of.max() + 1)[class_of[kept]].T
        members = members[members.any(axis=1)]
        between, size = pairs[np.ix_(kept, kept)], sizes[kept]
        count, photographs = members.shape
        of_mean = between.sum() / size.sum()
        ss_total = squares[kept].sum() - of_mean
        if count < 2 or photographs == count or ss_total <= 0:
            return float("nan")
        ss_photo = float((np.diagonal(between) / size).sum() - of_mean)
        ss_class = float((np.einsum("cp,pq,cq->c", members, between, members) / (members @ size)).sum() - of_mean)
        return float((ss_class - (count - 1) * (ss_photo - ss_class) / (photographs - count)) / ss_total)

    everything = np.arange(len(sizes))
    replicates = [share(np.delete(everything, photo)) for photo in everything]
    return jackknife_estimate(share(everything), replicates, strata=class_of)
