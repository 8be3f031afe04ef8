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
    """What is needed to do a run again: its settings, what went into it, the versions, the machine, the time."""
    return {
        "settings": dict(settings),
        **({"inputs": dict(inputs)} if inputs else {}),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def begun_settings(manifest: Path) -> dict[str, Any] | None:
    """The settings and inputs in a manifest, of a run that is to go on; None where there is no manifest that can be read."""
    try:
        read = read_json(manifest)
        return dict(read["settings"]) | dict(read.get("inputs", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
