"""How features gather: by degradation, by content, and how sure that is."""

from ddrscope.metrics.chi import calinski_harabasz, permutation_p_value
from ddrscope.metrics.design import Design
from ddrscope.metrics.jackknife import jackknife, jackknife_interval
from ddrscope.metrics.knn import knn_accuracy
from ddrscope.metrics.layer_measures import Content, measure, measure_planes
from ddrscope.metrics.level_path import path_spearman
from ddrscope.metrics.variance_shares import VarianceShares, photo_share, share_intervals, variance_shares

__all__ = [
    "Content",
    "Design",
    "VarianceShares",
    "calinski_harabasz",
    "jackknife",
    "jackknife_interval",
    "knn_accuracy",
    "measure",
    "measure_planes",
    "path_spearman",
    "permutation_p_value",
    "photo_share",
    "share_intervals",
    "variance_shares",
]
