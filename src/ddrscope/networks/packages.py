"""Files in data-only Python packages."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path


def package_files(distribution: str) -> list[Path]:
    """The files of an installed distribution; an empty list if it is not installed."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files]
