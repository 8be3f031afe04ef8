"""Run the tutorials and keep their outputs: python tools/run_tutorials.py [NAME ...]

docs/tutorials/NAME.py is the source (jupytext's percent form, which diffs well), NAME.ipynb what readers see.
Each runs in an empty folder of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

TUTORIALS = Path(__file__).resolve().parents[1] / "docs/tutorials"


def read_source(source: Path) -> nbformat.NotebookNode:
    """The notebook that a percent script stands for, without outputs; its cells are numbered, so that it is the same each time."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    notebook.metadata.pop("jupytext", None)
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run every cell in ``folder``; raises nbclient's `CellExecutionError` at the first that fails."""
    # Shell cells say ddrscope, as a reader with the environment activated would.
    os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    client = NotebookClient(notebook, timeout=600, record_timing=False, resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel():
        # Kernels ask commands for colour, and would be given progress bars too. The client puts what it runs in the place of cell 0.
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
