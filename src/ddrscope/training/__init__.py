"""Training of the SRResNet family."""

from ddrscope.training.loop import Progress, Training
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.quality import Quality, judge
from ddrscope.training.recipes import RECIPES, Recipe, make_recipe

__all__ = ["RECIPES", "PhotoPairs", "Progress", "Quality", "Recipe", "Training", "judge", "make_recipe"]
