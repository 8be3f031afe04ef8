"""Suites: lists of degradations that are scored together."""

from __future__ import annotations

from pathlib import Path

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path

_SUITES = Path(__file__).resolve().parents[1] / "data" / "suites"


def read_suite(name: str | Path) -> list[str]:
    """Read a suite of degradations.

    Args:
        name: ``pies`` (the 41 sets of arXiv 2205.07019), or a TOML file with ``sets = ["clean", "blur:2", ...]``.

    Returns:
        The degradations in canonical text, without repetitions.

    Raises:
        InputError: There is no such suite, the file is of another form, or a degradation is unknown.
    """
    bundled = {path.stem: path for path in sorted(_SUITES.glob("*.toml"))}
    path = bundled.get(str(name)) or expand_path(name)
    try:
        sets = read_toml(path)["sets"]
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"`suite`={path}: {reason}; the bundled suites are {', '.join(bundled)}") from None
    except (ValueError, KeyError) as error:
        raise InputError(f'{path} is no suite ({error}): write sets = ["clean", "blur:2"]') from None
    if not isinstance(sets, list) or not sets or not all(isinstance(text, str) for text in sets):
        raise InputError(f'{path} is no suite: sets must be a list of degradations, as ["clean", "blur:2"]')
    return list(dict.fromkeys(parse_degradation(text).text for text in sets))
