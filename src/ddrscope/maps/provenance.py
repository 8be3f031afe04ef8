"""What the features of a file are, by the manifest that `ddrscope features` writes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddrscope.batch.output_files import manifest_path
from ddrscope.errors import InputError
from ddrscope.io.differences import difference
from ddrscope.io.files import read_json

# Features that differ in one of these are different quantities, even if their number is the same.
COMPARED = ("network", "layer", "view", "crop", "precision")


def check_origins(files: Mapping[str, Path], digests: Mapping[str, str]) -> list[str]:
    """Check that files hold features of the same network, layer, view, crop and precision.

    Args:
        files: The files by name.
        digests: Their SHA-256 by name. A manifest of another digest is ignored.

    Returns:
        A note if this is not known of all files.

    Raises:
        InputError: Two files differ.
    """
    if len(files) < 2:
        return []
    origins = {path: origin for name, path in files.items() if (origin := _origin(path, digests[name]))}
    for key in COMPARED:
        values = [(path, origin[key]) for path, origin in origins.items() if origin.get(key) is not None]
        for path, value in values[1:]:
            first_path, first_value = values[0]
            if text := difference(first_value, value, key):
                raise InputError(
                    f"{path} is not of the same features as {first_path} ({text}): give files of one network, layer, view, "
                    "crop and precision"
                )
    unknown = [path.name for path in files.values() if any(origins.get(path, {}).get(key) is None for key in COMPARED)]
    if not unknown:
        return []
    more = f" and {len(unknown) - 1} more files" if len(unknown) > 1 else ""
    return [
        f"It is not known whether {unknown[0]}{more} are of the same network, layer, view, crop and precision: "
        "there is no manifest of ddrscope features beside, or it is of another file."
    ]


def _origin(path: Path, digest: str) -> dict[str, Any]:
    """The settings that made a file; empty if no manifest has them."""
    try:
        manifest = read_json(manifest_path(path))
        if manifest["sha256"] != digest:
            return {}
        return {key: manifest["settings"].get(key) for key in COMPARED}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
