"""Blind super-resolution: any network on pictures of any size, file by file."""

from ddrscope.restoration.explain import EmbeddingMap, map_embeddings
from ddrscope.restoration.files import Original, read_original, write_picture
from ddrscope.restoration.run import UpscaleRun
from ddrscope.restoration.tiles import enlarge

__all__ = ["EmbeddingMap", "Original", "UpscaleRun", "enlarge", "map_embeddings", "read_original", "write_picture"]
