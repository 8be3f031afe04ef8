"""Recipes from their names, TOML files and single changes, and as TOML."""

from __future__ import annotations

import dataclasses
import difflib
import json
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path
from ddrscope.training.recipes import RECIPES, AdversarialStage, PixelStage, Recipe

# Shortens invalid values in messages, however long or deep they are.
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def make_recipe(name: str | Recipe, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Make a recipe.

    Args:
        name: A recipe, a key of `ddrscope.training.RECIPES`, or a TOML file. A file may have ``base = "compact"`` and
            only the keys that differ; its tables ``[pixel]`` and ``[adversarial]`` are the stages.
        changes: Values by key, which replace those of the recipe. Keys of stages are dotted, as ``pixel.steps``.

    Raises:
        InputError: The recipe or a key is unknown (the message suggests a similar one), or a value is invalid.
    """
    file_values: dict[str, Any] = {}
    if isinstance(name, Recipe):
        base = name
    elif name.endswith(".toml"):
        try:
            file_values = read_toml(expand_path(name))
        except (OSError, ValueError) as error:
            raise InputError(
                f"recipe {expand_path(name)} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        base = _recipe_called(str(file_values.pop("base", "compact")))
    else:
        base = _recipe_called(name)
    values = dataclasses.asdict(base)
    _merge(values, file_values)
    for key, value in (changes or {}).items():
        *tables, last = key.split(".")
        for table in reversed(tables):
            last, value = table, {last: value}
        _merge(values, {last: value})
    try:
        recipe = _adapter().validate_python(values)
    except ValidationError as error:
        raise InputError(_explain(error)) from None
    except RecursionError:
        raise InputError(
            f"recipe {str(name)[:200]} is nested too deeply: only the tables pixel and adversarial are allowed"
        ) from None
    recipe.distributions()
    try:
        as_toml(recipe).encode()
    except UnicodeEncodeError:
        raise InputError("recipe: the name of the guide cannot be encoded as text: rename the file") from None
    return recipe


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Read changes of a recipe from ``KEY=VALUE`` texts. Values are written as in TOML; a bare word is text."""
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise InputError(f"{text[:80]!r} is not of the form KEY=VALUE: write for instance pixel.steps=2000")
        try:
            changes[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            changes[key.strip()] = value
    return changes


def as_toml(recipe: Recipe) -> str:
    """The whole recipe as TOML."""
    values = dataclasses.asdict(recipe)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"{key} = {_toml_value(value)}" for key, value in values.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


@cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def _toml_value(value: bool | float | str | Sequence[str]) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, str):
        # TOML writes text as JSON does, except for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _recipe_called(name: str) -> Recipe:
    if name not in RECIPES:
        raise InputError(
            f"no recipe is called {name[:80]!r}{_suggest(name, RECIPES)}: choose one of {', '.join(RECIPES)}, or a .toml file"
        )
    return RECIPES[name]


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _explain(error: ValidationError) -> str:
    """The first error in a recipe, in one line."""
    first = error.errors()[0]
    # A key that cannot be encoded has no location.
    *tables, key = [str(part) for part in first["loc"]] or ["a key"]
    where = ".".join([*tables, key])
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        stage = {"pixel": PixelStage, "adversarial": AdversarialStage}.get(tables[0] if tables else "", Recipe)
        known = [field.name for field in dataclasses.fields(stage)]
        return f"a recipe has no key {where[:80]!r}{_suggest(key, known)}: it has {', '.join(known)}"
    try:
        shown = _short.repr(first["input"])
    except (ValueError, RecursionError):
        shown = "the given value"  # a number of thousands of digits cannot be converted to text
    return f"recipe: {where} = {shown}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _suggest(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    similar = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {similar[0]!r}?)" if similar else ""
