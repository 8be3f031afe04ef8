"""Run the tutorials and store their outputs: python -m scripts.docs.run_tutorials [NAME ...]

The source is docs/tutorials/NAME.py (jupytext's percent format, for readable diffs); NAME.ipynb is written. Each tutorial runs in an
empty folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

TUTORIALS = Path(__file__).resolve().parents[2] / "docs/tutorials"


def read_source(source: Path) -> nbformat.NotebookNode:
    """The notebook of a percent script, without outputs. Cells have numbers as identifiers, so that the result is reproducible."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    notebook.metadata.pop("jupytext", None)
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run every cell in ``folder``. At the first error nbclient raises `CellExecutionError`."""
    # Shell cells call ddrscope, as in an activated environment.
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    client = NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel():
        # Without color there are no progress bars either. execute_cell replaces cell 0, so that cell 0 is restored afterwards.
        first = notebook.cells[0]
        client.execute_cell(
            nbformat.v4.new_code_cell("import os; os.environ['FORCE_COLOR'] = ''"), 0, store_history=False
        )
        notebook.cells[0] = first
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
    return notebook


def main(names: list[str]) -> None:
    for source in sorted(TUTORIALS.glob("*.py")):
        if names and source.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = nbformat.writes(run(read_source(source), Path(folder)))
            source.with_suffix(".ipynb").write_text(text.replace(f"{folder}/", "") + "\n", encoding="utf-8")
        print(source.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
