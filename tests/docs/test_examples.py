"""The examples: each runs as its first line says."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import PYTHON, Run

pytestmark = pytest.mark.docs

EXAMPLES = Path(__file__).parents[2] / "examples"
# Some of what each must print or leave behind.
EXPECTED = {
    "analyze_my_network": ("tail:input", "my-network/report.html"),
    "rank_networks": ("1. ", ""),
    "sort_archive": ("noise-20.png", "sorted"),
    "upscale_folder": ("64 x 64 -> 256 x 256", "large/aitzgorri__1.png"),
    "custom_degradation": ("[pooled] srresnet-wgr", ""),
}


def test_every_example_is_run_and_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == EXPECTED.keys()
    assert all(f"`{name}.py`" in listed for name in names)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs(name: str, tmp_path: Path, run_command: Run) -> None:
    printed, left = EXPECTED[name]
    done = run_command(EXAMPLES / f"{name}.py", program=[PYTHON], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
    assert (tmp_path / left).exists()
