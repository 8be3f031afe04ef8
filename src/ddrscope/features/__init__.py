"""Features of any `nn.Module`: named layers, two views, collected in memory or on disk."""

from ddrscope.features.batch_size import choose_batch
from ddrscope.features.collect import NonFiniteFeatures, collect_features
from ddrscope.features.matrix import FeatureMatrix
from ddrscope.features.precision import Precision
from ddrscope.features.views import VIEWS, find_channels_dim, flatten_features, pool_features, to_channels_first

__all__ = [
    "VIEWS",
    "FeatureMatrix",
    "NonFiniteFeatures",
    "Precision",
    "choose_batch",
    "collect_features",
    "find_channels_dim",
    "flatten_features",
    "pool_features",
    "to_channels_first",
]
