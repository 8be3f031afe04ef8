"""The HTML templates of the reports, and their rendering."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ddrscope.io.files import without_nan

_ENVIRONMENT = Environment(
    loader=PackageLoader("ddrscope.viz", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, manifest: Mapping[str, Any], *, scripts: bool = False, **values: Any) -> str:
    """A self-contained HTML page.

    Args:
        template: Name of a file in this package that extends ``page.html``. All values are escaped unless they are `Markup`.
        manifest: Settings, versions and machine of the run; shown at the end of the page.
        scripts: Whether the page runs scripts of its own; the content security policy forbids them otherwise.
        **values: What the template shows.

    Returns:
        The page as text.
    """
    style = Markup(files("ddrscope.viz").joinpath("page.css").read_text(encoding="utf-8"))
    text = json.dumps(without_nan(manifest), indent=1)
    return _ENVIRONMENT.get_template(template).render(values, style=style, manifest=text, scripts=scripts)
