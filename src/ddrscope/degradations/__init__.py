"""What damages a picture: families of degradations, their text form, pipelines of them, and bicubic shrinking."""

from __future__ import annotations

from . import blur, color, compression, noise, resampling, spatial, tone  # noqa: F401  # importing a family registers it
from .base import Degradation, Range, Stage
from .drawn import DrawnPipeline, parse_drawn
from .pipeline import Pipeline, parse_degradation
from .registry import list_degradations, register
from .resize import resize, shrink

__all__ = [
    "Degradation",
    "DrawnPipeline",
    "Pipeline",
    "Range",
    "Stage",
    "list_degradations",
    "parse_degradation",
    "parse_drawn",
    "register",
    "resize",
    "shrink",
]
