"""Maps of many points: measures from sums, t-SNE of a sample, all other points placed on its plane."""

from ddrscope.maps.result import MapResult
from ddrscope.maps.run import map_features

__all__ = ["MapResult", "map_features"]
