"""What the targets share. Without atheris they are plain functions, which the tests feed with the corpora."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

# The input that ended the last run.
LAST = Path(__file__).resolve().parents[1] / "build" / "fuzz" / "last-finding"


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

    def kept(data: bytes) -> None:
        try:
            target(data)
        except BaseException:
            # libFuzzer writes the input down only after Python has shut down, which may take longer than its own alarm allows.
            LAST.parent.mkdir(parents=True, exist_ok=True)
            LAST.write_bytes(data)
            raise

    atheris.Setup(sys.argv, kept)
    atheris.Fuzz()
