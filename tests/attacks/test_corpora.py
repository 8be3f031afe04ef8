"""What the fuzzer starts from, and what it once found, goes through the very same targets, without the fuzzer."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
TARGETS = ("degradation", "recipe", "checkpoint", "image")
INPUTS = [
    path for target in TARGETS for kind in ("corpus", "findings") for path in sorted((FUZZ / kind / target).glob("*"))
]


@cache
def target_of(name: str) -> Callable[[bytes], None]:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.target


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.relative_to(FUZZ).as_posix())
def test_every_input_is_read_or_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FUZZ)
    target_of(path.parent.name)(path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert (
        {path.stem for path in FUZZ.glob("*.py")} - {"support"} == set(TARGETS) == {path.parent.name for path in INPUTS}
    )
