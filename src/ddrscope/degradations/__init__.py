"""Degradations of images: families of degradations, their text form, pipelines of them, and bicubic shrinking."""

from __future__ import annotations

from ddrscope.degradations.base import Degradation, Range, Stage
from ddrscope.degradations.chains import DegradationChain, parse_chain
from ddrscope.degradations.pipeline import Pipeline, parse_degradation
from ddrscope.degradations.random_pipeline import RandomPipeline, parse_random_pipeline
from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.registry import list_degradations, register
from ddrscope.degradations.resize import resize, shrink

from . import (  # noqa: F401  # imported to be registered
    blur,
    camera,
    color,
    compression,
    noise,
    resampling,
    spatial,
    tone,
    video,
)

__all__ = [
    "Degradation",
    "DegradationChain",
    "DegradationRecipe",
    "Pipeline",
    "RandomPipeline",
    "Range",
    "Stage",
    "list_degradations",
    "parse_chain",
    "parse_degradation",
    "parse_random_pipeline",
    "register",
    "resize",
    "shrink",
]
