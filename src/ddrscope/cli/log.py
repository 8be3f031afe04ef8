"""What the library logs, as lines on stderr."""

from __future__ import annotations

import logging
import sys

from ddrscope.errors import escaped


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # `sys.stderr` as it is now: progress bars replace it while they are drawn.
        print(escaped(record.getMessage()), file=sys.stderr)


def show_log() -> None:
    """Print the messages of the library's logger from now on, those of level INFO too."""
    logger = logging.getLogger("ddrscope")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        logger.addHandler(_StderrHandler())
