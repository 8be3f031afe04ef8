"""Writing figures and a page into the folder of a result."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ddrscope.io.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
FIGURES = "figures"
PRINT_DPI = 200


def write_page(folder: Path, figures: Mapping[str, Figure], page: str, name: str = PAGE) -> Path:
    """Write each figure as ``figures/NAME.png`` and ``figures/NAME.pdf``, and a page.

    Args:
        folder: The folder of the result.
        figures: The figures by name.
        page: The page as HTML.
        name: Name of the page's file.

    Returns:
        The path of the page.
    """
    for title, figure in figures.items():
        for kind in ("png", "pdf"):
            with atomic_write(folder / FIGURES / f"{title}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, dpi=PRINT_DPI)
    path = folder / name
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def framed(page: str) -> str:
    """A page inside a frame, as a notebook shows it: its styles and scripts do not affect the notebook."""
    content = base64.b64encode(page.encode()).decode()
    return f'<iframe src="data:text/html;base64,{content}" width="100%" height="900" style="border:0"></iframe>'
