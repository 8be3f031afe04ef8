"""The version of the installed package and the commit that it was built from."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]


# ``0.2.0``, or ``0.2.0.dev12+g1a2b3c4`` between releases.
__version__ = metadata.version("ddrscope")


def version_line() -> str:
    """The version without its local part, and the commit where it is known: ``0.2.0 (commit 1a2b3c4)``."""
    public, known = __version__.partition("+")[0], commit()
    return f"{public} (commit {known})" if known else public


def commit() -> str:
    """The abbreviated commit of this code, or an empty string if it is not known.

    In a git checkout, git is asked, because an editable installation can be older than the code; ``-dirty`` is
    appended if files differ from the commit. Elsewhere it is the commit that the package was built from.
    """
    if (_CHECKOUT / ".git").exists() and (_CHECKOUT / "pyproject.toml").exists():
        describe = ["git", "-C", str(_CHECKOUT), "describe", "--always", "--dirty", "--exclude", "*"]
        try:
            return subprocess.run(describe, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return _built_commit()


def _built_commit() -> str:
    try:
        # Written by setuptools-scm when the package is built.
        from ddrscope._version import __commit_id__ as written
    except ImportError:
        written = None
    in_version = re.search(r"\+g([0-9a-f]+)", __version__)
    return str(written or "").removeprefix("g") or (in_version[1] if in_version else "")
