"""Commands mirror the functions of the Python API: the same parameters, the same defaults."""

from __future__ import annotations

import importlib
import inspect

import pytest

import ddrscope

FUNCTIONS = {
    "analyze": "analyze",
    "degrade": "degrade",
    "features": "extract_features",
    "filter": "filter_images",
    "fit_identifier": "fit_identifier",
    "generalize": "generalize",
    "identify": "identify",
    "map": "map_features",
    "study": "run_study",
    "train": "train",
    "upscale": "upscale",
}
# What only the command has: output on stdout, the name of a default, and short forms of keys of the recipe.
ONLY_OPTIONS = {"as_json", "show", "list_only"}
SHORT_FORMS = {"train": {"global_residual", "precision", "seed"}}
# What only the function has.
ONLY_PARAMETERS = {"progress", "resamples"}


@pytest.mark.parametrize("command", FUNCTIONS)
def test_a_command_has_the_parameters_and_defaults_of_its_function(command: str) -> None:
    options = inspect.signature(importlib.import_module(f"ddrscope.cli.{command}").command).parameters
    parameters = inspect.signature(getattr(ddrscope, FUNCTIONS[command])).parameters
    assert options.keys() - ONLY_OPTIONS - SHORT_FORMS.get(command, set()) == parameters.keys() - ONLY_PARAMETERS
    for name in options.keys() & parameters.keys() - {"out"}:
        option, parameter = options[name].default, parameters[name].default
        # None stands for the default of the function.
        if option is not None and parameter is not inspect.Parameter.empty:
            assert str(option) == str(parameter), name
