"""A recipe for `ddrscope train`, which reads it as it is."""

from __future__ import annotations

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.errors import InputError
from ddrscope.matching.configs.common import Config, assignments, make_config

_SCALES = (1, 2, 3, 4)


def training_recipe(recipe: DegradationRecipe, path: str) -> Config:
    """The recipe for `ddrscope train`. Nothing is lost: it names the file of the recipe.

    Raises:
        InputError: The scale is not one of those that can be trained.
    """
    if recipe.scale not in _SCALES:
        raise InputError(
            f"`ddrscope train` knows no scale {recipe.scale}: use one of {', '.join(map(str, _SCALES))}, or another target"
        )
    lines = assignments({"base": "compact", "scale": recipe.scale, "degradation_recipe": path})
    notes = [
        "Run: ddrscope train ddrscope.toml --images path/to/hr --val path/to/hr --out run",
        "degradation_recipe is the file recipe.json of ddrscope match, seen from where the command is run.",
    ]
    return make_config("ddrscope.toml", "`ddrscope train`", notes, [], lines)
