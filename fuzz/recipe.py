"""Fuzz target: a recipe in TOML or as changes gives a recipe whose text parses to an equal one, or raises `InputError`."""

from __future__ import annotations

from support import instrumented, main, scratch

with instrumented("ddrscope.training.recipes", "ddrscope.degradations", "ddrscope.generalization.suite", "tomllib"):
    import tomllib  # noqa: F401

    from ddrscope.degradations.distortions import read_distortions
    from ddrscope.generalization.suite import read_suite
    from ddrscope.training.recipe_files import as_toml, make_recipe, parse_changes
from ddrscope.errors import InputError

FILE = scratch() / "recipe.toml"


def target(data: bytes) -> None:
    FILE.write_bytes(data)
    for read in (read_suite, lambda name: read_distortions(FILE)):
        try:
            read(str(FILE))
        except InputError:
            pass
    words = data.decode("utf-8", "surrogateescape").splitlines()
    for make in (lambda: make_recipe(str(FILE)), lambda: make_recipe("pilot", parse_changes(words))):
        try:
            recipe = make()
        except InputError:
            continue
        FILE.write_text(as_toml(recipe), encoding="utf-8")
        assert make_recipe(str(FILE)) == recipe


if __name__ == "__main__":
    main(target)
