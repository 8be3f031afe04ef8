"""Blind super-resolution: upscaling images of any size with any network."""

from ddrscope.upscaling.embedding_map import EmbeddingMap, map_embeddings
from ddrscope.upscaling.result import UpscalingResult
from ddrscope.upscaling.run import upscale
from ddrscope.upscaling.tiling import enlarge

__all__ = ["EmbeddingMap", "UpscalingResult", "enlarge", "map_embeddings", "upscale"]
