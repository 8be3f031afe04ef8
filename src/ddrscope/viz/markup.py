"""What all pages are put together of: the template and its style, images and data that stand in the page itself."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

from matplotlib.figure import Figure

from ddrscope.io.files import without_nan


def filled(name: str, manifest: Mapping[str, Any], **parts: str) -> str:
    """The page ``name``.html of this package with its parts, the common style and the manifest (escaped here) in their places."""
    room = files("ddrscope.viz")
    return Template((room / f"{name}.html").read_text(encoding="utf-8")).substitute(
        parts,
        style=(room / "page.css").read_text(encoding="utf-8"),
        manifest=html.escape(json.dumps(without_nan(manifest), indent=1)),
    )


def script(name: str) -> str:
    """The script ``name``.js of this package."""
    return (files("ddrscope.viz") / f"{name}.js").read_text(encoding="utf-8")


def png_source(figure: Figure, dpi: int) -> str:
    """A figure as the address of an image that the page holds itself."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever the images are called."""
    text = json.dumps(without_nan(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
