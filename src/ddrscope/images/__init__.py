"""Image files: finding, decoding safely, cropping and writing them; and the bundled photographs.

An image in memory is float32 of shape (H, W, C) in 0..1. `ddrscope.images.decoding` documents how each kind of file
is converted.
"""

from __future__ import annotations

from ddrscope.images.crops import center_crop, distribute, grid_crops
from ddrscope.images.decoding import MAX_PIXELS, UnreadableImage
from ddrscope.images.files import ImageFile, bundled_photos, find_images
from ddrscope.images.naming import result_names
from ddrscope.images.photographs import assign_photographs, check_photo_from, folder_of, photograph_notes, photograph_of
from ddrscope.images.reading import LoadedImage, read_ahead, read_image, read_with_metadata
from ddrscope.images.source_image import SourceImage, read_source_image
from ddrscope.images.writing import write_image

__all__ = [
    "MAX_PIXELS",
    "ImageFile",
    "LoadedImage",
    "SourceImage",
    "UnreadableImage",
    "assign_photographs",
    "bundled_photos",
    "center_crop",
    "check_photo_from",
    "distribute",
    "find_images",
    "folder_of",
    "grid_crops",
    "photograph_notes",
    "photograph_of",
    "read_ahead",
    "read_image",
    "read_source_image",
    "read_with_metadata",
    "result_names",
    "write_image",
]
