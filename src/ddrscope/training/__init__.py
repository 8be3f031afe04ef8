"""Training of the SRResNet family: a pixel stage, then an adversarial one."""

from ddrscope.errors import require_extra

with require_extra("train", "training"):
    import accelerate as accelerate
    import pydantic as pydantic
    import tensorboard as tensorboard

from ddrscope.results.training import Quality
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.progress import TrainingProgress
from ddrscope.training.quality import Evaluator
from ddrscope.training.recipe_files import as_toml, make_recipe, parse_changes
from ddrscope.training.recipes import RECIPES, AdversarialStage, PixelStage, Recipe
from ddrscope.training.run import TrainingResult, train
from ddrscope.training.stages import Training, as_trained

__all__ = [
    "RECIPES",
    "AdversarialStage",
    "Evaluator",
    "PhotoPairs",
    "PixelStage",
    "Quality",
    "Recipe",
    "Training",
    "TrainingProgress",
    "TrainingResult",
    "as_toml",
    "as_trained",
    "make_recipe",
    "parse_changes",
    "train",
]
