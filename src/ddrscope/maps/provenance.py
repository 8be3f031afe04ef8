"""What files of features are features of, by the manifests that `ddrscope features` leaves beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddrscope.batch.output_files import manifest_path
from ddrscope.errors import InputError
from ddrscope.io.differences import difference
from ddrscope.io.files import read_json

# Files that differ in one of these hold different quantities, although their rows may be equally long.
SAME = ("network", "layer", "view", "crop", "precision")


def check_origins(files: Mapping[str, Path], digests: Mapping[str, str]) -> list[str]:
    """Notes on files of which it is not known what they are features of; `InputError` where two are known to differ in that.

    ``digests`` are the files' SHA-256 by name: the manifest of another file says nothing.
    """
    if len(files) < 2:
        return []
    known = {path: origin for name, path in files.items() if (origin := _origin(path, digests[name]))}
    for key in SAME:
        told = [(path, origin[key]) for path, origin in known.items() if origin.get(key) is not None]
        for path, value in told[1:]:
            first, before = told[0]
            if found := difference(before, value, key):
                raise InputError(
                    f"{path} is not of the same features as {first} ({found}): give files of one network, layer, view, crop and precision"
                )
    unknown = [path.name for path in files.values() if any(known.get(path, {}).get(key) is None for key in SAME)]
    if not unknown:
        return []
    more = f" and {len(unknown) - 1} more files" if len(unknown) > 1 else ""
    return [
        f"It is not known whether {unknown[0]}{more} are of the same network, layer, view, crop and precision: "
        "there is no manifest of ddrscope features beside, or it is of another file."
    ]


def _origin(path: Path, digest: str) -> dict[str, Any]:
    """The settings that made a file; empty where no manifest says so."""
    try:
        read = read_json(manifest_path(path))
        if read["sha256"] != digest:
            return {}
        return {key: read["settings"].get(key) for key in SAME}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
