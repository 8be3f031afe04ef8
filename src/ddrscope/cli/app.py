"""The commands put together."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

import typer

from ddrscope.cli import analyze, degrade, features, fit_identifier, generalize, identify, models, study, train, upscale
from ddrscope.errors import InputError

# Options of `analyze` and `generalize` that take several words, as in `--degrade clean blur:4 noise:20`.
SEVERAL = ("--degrade", "--images", "--layers", "--set", "--series", "--view")

app = typer.Typer(
    name="ddrscope",
    help="See what an image-restoration network knows about the damage in its input, and put it to work.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every command takes --debug: show where an error comes from.",
)
app.command("analyze")(analyze.command)
app.command("features")(features.command)
app.command("degrade")(degrade.command)
app.command("generalize")(generalize.command)
app.command("identify")(identify.command)
app.command("fit-identifier")(fit_identifier.command)
app.command("upscale")(upscale.command)
app.command("train")(train.command)
app.command("study")(study.command)
app.add_typer(models.app, name="models")


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        print(metadata.version("ddrscope"))
        raise typer.Exit


def repeat_options(words: Sequence[str]) -> list[str]:
    """`analyze N --degrade a b` as `analyze N --degrade a --degrade b`, the one form the option parser knows."""
    if not words or words[0] not in ("analyze", "generalize"):
        return list(words)
    repeated: list[str] = []
    option: str | None = ""
    values = 0
    for word in [*words, None]:
        if word is None or (word.startswith("-") and not _is_number(word)):
            if option and not values:
                raise InputError(f"{words[0]}: {option} needs a value (see ddrscope {words[0]} --help)")
            option, values = (word, 0) if word in SEVERAL else ("", 0)
            if word is not None and not option:
                repeated.append(word)
        elif option:
            repeated += [option, word]
            values += 1
        else:
            repeated.append(word)
    return repeated


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
