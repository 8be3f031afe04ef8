"""Training of the SRResNet family: a pixel stage, then an adversarial one."""

from ddrscope.errors import require_extra

with require_extra("train", "training"):
    import accelerate as accelerate
    import pydantic as pydantic
    import tensorboard as tensorboard

from ddrscope.training.loop import Progress
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.quality import Evaluator, Quality
from ddrscope.training.recipes import RECIPES, AdversarialStage, PixelStage, Recipe, as_toml, make_recipe, parse_changes
from ddrscope.training.stages import Training, as_trained

__all__ = [
    "RECIPES",
    "AdversarialStage",
    "Evaluator",
    "PhotoPairs",
    "PixelStage",
    "Progress",
    "Quality",
    "Recipe",
    "Training",
    "as_toml",
    "as_trained",
    "make_recipe",
    "parse_changes",
]
