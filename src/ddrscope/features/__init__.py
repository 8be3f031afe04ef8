"""Features of any `nn.Module`: named layers, two views, collected in memory or on disk."""

from ddrscope.features.batch_size import choose_batch
from ddrscope.features.collect import NonFiniteFeatures, collect_features
from ddrscope.features.discovery import DefaultLayers, LayerInfo, all_layers, default_layers, resolve_layers
from ddrscope.features.hooks import Run, capture
from ddrscope.features.matrix import FeatureMatrix
from ddrscope.features.names import LayerName
from ddrscope.features.precision import Precision
from ddrscope.features.views import VIEWS, find_channels_dim, flatten_features, pool_features, to_channels_first

__all__ = [
    "VIEWS",
    "DefaultLayers",
    "FeatureMatrix",
    "LayerInfo",
    "LayerName",
    "NonFiniteFeatures",
    "Precision",
    "Run",
    "all_layers",
    "capture",
    "choose_batch",
    "collect_features",
    "default_layers",
    "find_channels_dim",
    "flatten_features",
    "pool_features",
    "resolve_layers",
    "to_channels_first",
]
