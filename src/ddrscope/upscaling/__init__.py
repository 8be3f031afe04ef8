"""Blind super-resolution: any network on images of any size, file by file."""

from ddrscope.upscaling.embedding_map import EmbeddingMap, map_embeddings
from ddrscope.upscaling.image_files import SourceImage, read_source_image, write_image
from ddrscope.upscaling.run import UpscaleRun
from ddrscope.upscaling.tiling import enlarge

__all__ = ["EmbeddingMap", "SourceImage", "UpscaleRun", "enlarge", "map_embeddings", "read_source_image", "write_image"]
