"""The tutorials: run anew, and the same as their sources."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from scripts.docs.run_tutorials import TUTORIALS, read_source, run

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs/tutorials").glob("*.ipynb"))


def test_every_source_has_its_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(path.stem for path in TUTORIALS.glob("*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_what_its_source_says_and_every_cells_output(notebook: Path) -> None:
    shown, source = nbformat.read(notebook, as_version=4), read_source(notebook.with_suffix(".py"))
    assert [(cell.cell_type, cell.source) for cell in shown.cells] == [
        (cell.cell_type, cell.source) for cell in source.cells
    ]
    assert all(cell.execution_count for cell in shown.cells if cell.cell_type == "code")
    printed = [output for cell in shown.cells for output in cell.get("outputs", ()) if output.output_type == "error"]
    assert not printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run(nbformat.read(notebook, as_version=4), tmp_path)
