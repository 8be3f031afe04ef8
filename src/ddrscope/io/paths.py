"""Expansion of ``~`` and environment variables in paths; nothing else in the package expands them."""

from __future__ import annotations

import glob
import os
from pathlib import Path


def expand(text: str, folder: str | Path = "") -> str:
    """A path or glob with ``~``, ``~user``, ``$NAME`` and ``${NAME}`` expanded.

    Expanding twice gives the same result.

    Args:
        text: The path or glob. URIs and unknown names stay as they are. ``./~`` is the entry called ``~``. An entry
            whose name contains a ``$`` is taken as written if it exists.
        folder: The folder in which such an entry is looked for. Default: the working directory.
    """
    if "://" in text or "\0" in text:
        return text
    if "$" in text and not _exists_as_written(text, folder):
        text = os.path.expandvars(text)
    if text.startswith("~"):
        return os.path.expanduser(text)
    # pathlib drops the leading "./", so only an absolute path keeps the meaning.
    return os.path.abspath(os.path.join(folder, text)) if os.path.normpath(text).startswith("~") else text


def expand_path(path: str | Path) -> Path:
    """`expand` as a `Path`."""
    return Path(expand(str(path)))


def _exists_as_written(text: str, folder: str | Path) -> bool:
    parts = os.path.join(folder, text).split(os.sep)
    last = max(index for index, part in enumerate(parts) if "$" in part)
    written = os.sep.join(parts[: last + 1])
    return os.path.lexists(written) or (glob.has_magic(written) and any(glob.iglob(written)))
