"""Figures and a page into the folder of a result."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ddrscope.io.files import atomic_write

PRINT_DPI = 200


def write_page(folder: Path, figures: Mapping[str, Figure], page: str, name: str = "report.html") -> Path:
    """Write ``figures/NAME.png`` and ``.pdf`` and the page, ``name``, into ``folder``; return the page's path."""
    for title, figure in figures.items():
        for kind in ("png", "pdf"):
            with atomic_write(folder / "figures" / f"{title}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, dpi=PRINT_DPI)
    path = folder / name
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def framed(page: str) -> str:
    """A whole page inside a frame, as a notebook shows it: the page's styles and scripts stay its own."""
    content = base64.b64encode(page.encode()).decode()
    return f'<iframe src="data:text/html;base64,{content}" width="100%" height="900" style="border:0"></iframe>'
