"""What the targets share. Without atheris they are plain functions, which the tests feed with the corpora."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path


def instrumented(*packages: str) -> AbstractContextManager[object]:
    """Imports inside this block tell the fuzzer which branches ran, where this is the program that is run."""
    if not Path(sys.argv[0]).resolve().is_relative_to(Path(__file__).parent):
        return nullcontext()
    import atheris

    return atheris.instrument_imports(include=list(packages))


def scratch() -> Path:
    """A folder of this process for the file that is attacked."""
    return Path(tempfile.mkdtemp(prefix="ddrscope-fuzz-"))


def main(target: Callable[[bytes], None]) -> None:
    """Fuzz with libFuzzer's own options: folders of inputs, -max_total_time=SECONDS and so on."""
    import atheris

    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
