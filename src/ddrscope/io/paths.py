"""Paths as people write them: the one place where ``~`` and environment variables are expanded."""

from __future__ import annotations

import glob
import os
from pathlib import Path


def expand(text: str, folder: str | Path = "") -> str:
    """The path or glob ``text`` with ``~``, ``~user``, ``$NAME`` and ``${NAME}`` expanded; URIs and unknown names stay as they are.

    A file or folder whose name has a ``$`` in it is taken as written if it exists (in ``folder``, by default the working directory).
    ``./~`` is the entry called ``~``. Expanding twice gives the same.
    """
    if "://" in text or "\0" in text:
        return text
    if "$" in text and not _exists_as_written(text, folder):
        text = os.path.expandvars(text)
    if text.startswith("~"):
        return os.path.expanduser(text)
    # pathlib drops the "./" that protects a name: only an absolute path keeps its meaning.
    return os.path.abspath(os.path.join(folder, text)) if os.path.normpath(text).startswith("~") else text


def expand_path(path: str | Path) -> Path:
    """The same as a `Path`."""
    return Path(expand(str(path)))


def _exists_as_written(text: str, folder: str | Path) -> bool:
    parts = os.path.join(folder, text).split(os.sep)
    last = max(index for index, part in enumerate(parts) if "$" in part)
    written = os.sep.join(parts[: last + 1])
    return os.path.lexists(written) or (glob.has_magic(written) and any(glob.iglob(written)))
