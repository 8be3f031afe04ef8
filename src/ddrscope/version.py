"""Which version and which commit this is. Imports nothing of the package: setup.py runs it while building."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

# Written when a wheel or a source archive is built.
WRITTEN = Path(__file__).with_name("commit.txt")
_CHECKOUT = Path(__file__).resolve().parents[2]


def version() -> str:
    """The version of the installed package, as ``0.2.0``."""
    return metadata.version("ddrscope")


def version_line() -> str:
    """``0.1.0 (commit 1a2b3c4)``; only the version where no commit is known."""
    known = commit()
    return f"{version()} (commit {known})" if known else version()


def commit() -> str:
    """The abbreviated commit of the checkout, ``-dirty`` where files differ from it; else what was written at build; else empty."""
    if not (_CHECKOUT / ".git").exists() or not (_CHECKOUT / "pyproject.toml").exists():
        return WRITTEN.read_text(encoding="utf-8").strip() if WRITTEN.is_file() else ""
    # Tags are not asked for: the version in pyproject.toml is written by hand.
    describe = ["git", "-C", str(_CHECKOUT), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(describe, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
