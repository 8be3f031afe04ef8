"""The words of identifications: classes, estimates, questions."""

from __future__ import annotations

# The class of images without a distortion, and its group.
CLEAN = "clean"
# What is estimated in physical units, each with an interval; a column of a table for each.
ESTIMATES = (
    "blur_sigma", "noise_sigma", "jpeg_quality", "first_jpeg_quality", "native_scale", "motion_length", "exposure",
)  # fmt: skip
# Yes or no, as probabilities; a column for each.
QUESTIONS = ("recompressed", "chroma_subsampled")
# By which an image was enlarged.
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
# What the columns of `FileFacts` begin with.
FILE = "file_"
# From this probability on something is said to be there.
LIKELY = 0.5
