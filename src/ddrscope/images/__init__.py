"""Pictures on disk: finding them, decoding them safely, cropping them; and the bundled photographs.

A picture in memory is float32 of shape (height, width, channels), range 0..1. `ddrscope.images.decoding` documents how
each kind of file gets there.
"""
from __future__ import annotations

from ddrscope.images.crops import center_crop, grid_crops
from ddrscope.images.decoding import MAX_PIXELS, UnreadablePicture
from ddrscope.images.files import PictureFile, bundled_photos, find_pictures
from ddrscope.images.naming import result_names
from ddrscope.images.photographs import assign_photographs, check_photo_from, photograph_notes, photograph_of
from ddrscope.images.reading import Picture, read_ahead, read_picture, read_with_metadata

__all__ = [
    "MAX_PIXELS",
    "Picture",
    "PictureFile",
    "UnreadablePicture",
    "assign_photographs",
    "bundled_photos",
    "center_crop",
    "check_photo_from",
    "find_pictures",
    "grid_crops",
    "photograph_notes",
    "photograph_of",
    "read_ahead",
    "read_picture",
    "read_with_metadata",
    "result_names",
]
