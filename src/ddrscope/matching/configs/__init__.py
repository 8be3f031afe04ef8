"""Recipes as configuration files of training programs for image super-resolution."""

from __future__ import annotations

from collections.abc import Callable

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.errors import InputError, printable
from ddrscope.matching.configs.common import Config
from ddrscope.matching.configs.neosr import neosr
from ddrscope.matching.configs.pepedd import pepedd
from ddrscope.matching.configs.realesrgan import realesrgan
from ddrscope.matching.configs.redux import redux
from ddrscope.matching.configs.training_recipe import training_recipe
from ddrscope.matching.configs.wtp import wtp

__all__ = ["TARGETS", "Config", "to_config"]

_WRITERS: dict[str, Callable[[DegradationRecipe], Config]] = {
    "realesrgan": realesrgan,
    "trainner-redux": redux,
    "neosr": neosr,
    "wtp": wtp,
    "pepedd": pepedd,
}
# Reads the recipe itself.
_OWN = "ddrscope"
TARGETS: tuple[str, ...] = (*_WRITERS, _OWN)


def to_config(recipe: DegradationRecipe, target: str, path: str = "recipe.json") -> Config:
    """Write a recipe as a configuration file of another program.

    Args:
        recipe: The recipe.
        target: One of `TARGETS`.
        path: Where the recipe is saved, for ``ddrscope``, which reads that file.

    Returns:
        The file. What the program cannot express is in its comments and in ``lost``.

    Raises:
        InputError: There is no such target, or it does not know the scale of the recipe.

    Examples:
        >>> config = to_config(recipe, "realesrgan")
        >>> Path(config.name).write_text(config.text)
    """
    if target == _OWN:
        return training_recipe(recipe, path)
    if target not in _WRITERS:
        raise InputError(f"unknown target '{printable(target[:80])}': use one of {', '.join(TARGETS)}")
    return _WRITERS[target](recipe)
