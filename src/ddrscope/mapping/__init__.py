"""Maps of many points: exact measures from sums, t-SNE of a sample, the rest placed on its plane."""

from ddrscope.mapping.reading import FeatureFiles
from ddrscope.mapping.result import MapResult
from ddrscope.mapping.run import MapSettings, PointMap

__all__ = ["FeatureFiles", "MapResult", "MapSettings", "PointMap"]
