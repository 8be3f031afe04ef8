"""Maps of many points: exact measures from sums, t-SNE of a sample, the rest placed on its plane."""

from ddrscope.maps.feature_files import FeatureFiles
from ddrscope.maps.result import MapResult
from ddrscope.maps.run import MapSettings, PointMap

__all__ = ["FeatureFiles", "MapResult", "MapSettings", "PointMap"]
