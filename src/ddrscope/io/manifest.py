"""The manifest of a run: settings, inputs, versions, machine, time."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from ddrscope.io.files import read_json

MANIFEST = "manifest.json"
LIBRARIES = ("ddrscope", "torch", "numpy", "scipy", "scikit-learn", "openTSNE", "spandrel", "Pillow")


def manifest(settings: Mapping[str, Any], inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What is needed to repeat a run.

    Args:
        settings: The settings of the run, as JSON values.
        inputs: The content of what it reads, by SHA-256.

    Returns:
        The settings and inputs with the versions of Python and the libraries, the machine and the time (UTC).
    """
    return {
        "settings": dict(settings),
        **({"inputs": dict(inputs)} if inputs else {}),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def read_settings(path: Path) -> dict[str, Any] | None:
    """The settings and inputs in a manifest, as one mapping; None if there is no readable manifest."""
    try:
        content = read_json(path)
        return dict(content["settings"]) | dict(content.get("inputs", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
