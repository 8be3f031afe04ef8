"""Suites: lists of degradations, each of which makes one set of patches from the same clean images."""

from __future__ import annotations

from pathlib import Path

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path

SUITES = Path(__file__).resolve().parents[1] / "data" / "suites"


def read_suite(name: str) -> list[str]:
    """The degradations of a bundled suite (``pies``) or of a TOML file, ``sets = ["clean", "blur:2", ...]``, in canonical text."""
    bundled = {path.stem: path for path in sorted(SUITES.glob("*.toml"))}
    path = bundled.get(name) or expand_path(name)
    try:
        sets = read_toml(path)["sets"]
    except OSError as error:
        raise InputError(f"--suite {path}: {error.strerror or error}; bundled are {', '.join(bundled)}") from None
    except (ValueError, KeyError) as error:
        raise InputError(f'{path} is no suite ({error}): write sets = ["clean", "blur:2"]') from None
    if not isinstance(sets, list) or not sets or not all(isinstance(text, str) for text in sets):
        raise InputError(f'{path} is no suite: sets is a list of degradations, as ["clean", "blur:2"]')
    return list(dict.fromkeys(parse_degradation(text).text for text in sets))
