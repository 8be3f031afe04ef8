"""Images on disk: finding them, decoding them safely, cropping them; and the bundled photographs.

An image in memory is float32 of shape (height, width, channels), range 0..1. `ddrscope.images.decoding` documents how
each kind of file gets there.
"""

from __future__ import annotations

from ddrscope.images.crops import center_crop, grid_crops
from ddrscope.images.decoding import MAX_PIXELS, UnreadableImage
from ddrscope.images.files import ImageFile, bundled_photos, find_images
from ddrscope.images.naming import result_names
from ddrscope.images.photographs import assign_photographs, check_photo_from, photograph_notes, photograph_of
from ddrscope.images.reading import LoadedImage, read_ahead, read_image, read_with_metadata

__all__ = [
    "LoadedImage",
    "MAX_PIXELS",
    "Image",
    "ImageFile",
    "UnreadableImage",
    "assign_photographs",
    "bundled_photos",
    "center_crop",
    "check_photo_from",
    "find_images",
    "grid_crops",
    "photograph_notes",
    "photograph_of",
    "read_ahead",
    "read_image",
    "read_with_metadata",
    "result_names",
]
