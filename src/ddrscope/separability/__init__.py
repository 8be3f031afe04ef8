"""How features gather: by degradation, by content, and how sure that is."""
from ddrscope.separability.chi import calinski_harabasz, permutation_p_value
from ddrscope.separability.design import Design
from ddrscope.separability.jackknife import jackknife, jackknife_interval
from ddrscope.separability.measures import Content, measure, measure_planes
from ddrscope.separability.neighbours import knn_accuracy
from ddrscope.separability.path import path_spearman
from ddrscope.separability.shares import VarianceShares, photo_share, share_intervals, variance_shares

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
