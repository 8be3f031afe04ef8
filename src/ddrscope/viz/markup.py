"""What pages contain besides text: figures, scripts and their data."""

from __future__ import annotations

import base64
import io
import json
from importlib.resources import files
from typing import Any

from matplotlib.figure import Figure

from ddrscope.io.files import without_nan


def script(name: str) -> str:
    """The script ``name``.js of this package."""
    return (files("ddrscope.viz") / f"{name}.js").read_text(encoding="utf-8")


def png_source(figure: Figure, dpi: int) -> str:
    """A figure as a data URI, for the ``src`` of an image."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def script_safe(value: Any) -> str:
    """JSON that cannot end the script element that contains it, whatever texts are in it."""
    text = json.dumps(without_nan(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
