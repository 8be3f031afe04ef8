"""Shared by the fuzz targets. Without atheris they are plain functions, which the tests call with the corpora."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

# Receives the input that ended the last run.
LAST = Path(__file__).resolve().parents[1] / "build" / "fuzz" / "last-finding"


def instrumented(*packages: str) -> AbstractContextManager[object]:
    """A block whose imports are instrumented for branch coverage if a fuzz target is run as a program."""
    if not Path(sys.argv[0]).resolve().is_relative_to(Path(__file__).parent):
        return nullcontext()
    import atheris

    return atheris.instrument_imports(include=list(packages))


def scratch() -> Path:
    """A temporary folder for the file that is read."""
    return Path(tempfile.mkdtemp(prefix="ddrscope-fuzz-"))


def main(target: Callable[[bytes], None]) -> None:
    """Run the fuzzer with libFuzzer's options: folders of inputs, -max_total_time=SECONDS and so on."""
    import atheris

    def recorded(data: bytes) -> None:
        try:
            target(data)
        except BaseException:
            # libFuzzer writes the input only after Python has shut down, which may take longer than its timeout.
            LAST.parent.mkdir(parents=True, exist_ok=True)
            LAST.write_bytes(data)
            raise

    atheris.Setup(sys.argv, recorded)
    atheris.Fuzz()
