"""A finished output file, its manifest, and the folder of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrscope.errors import InputError
from ddrscope.io.differences import check_same
from ddrscope.io.files import read_json, sha256
from ddrscope.io.manifest import MANIFEST, begun_settings


def parts_of(out: Path) -> Path:
    """The folder in which a file is made."""
    return out.with_name(f"{out.name}.parts")


def manifest_of(out: Path) -> Path:
    """The manifest that lies beside a finished file."""
    return out.with_name(f"{out.name}.manifest.json")


def begun_manifest(out: Path) -> Path:
    """The manifest of the run that ``--resume`` would go on with: under way, or finished."""
    under_way = parts_of(out) / MANIFEST
    return under_way if under_way.exists() else manifest_of(out)


def check_finished(out: Path, settings: Mapping[str, Any], beside: Sequence[Path] = ()) -> None:
    """Raise `InputError` unless FILE is of these settings and inputs, and it and the files ``beside`` it are what was written."""
    before = begun_settings(manifest_of(out))
    try:
        read = read_json(manifest_of(out))
        written = {out: read["sha256"]} | {path: read["beside"][path.name] for path in beside}
    except (OSError, ValueError, KeyError, TypeError):
        before = None
    if before is None:
        raise InputError(f"{out} has no readable {manifest_of(out).name}, so it cannot be verified: give --overwrite")
    check_same(before, settings, str(out))
    for path, digest in written.items():
        if not path.is_file():
            raise InputError(f"{path} is missing, which belongs to {out}: give --overwrite to make both anew")
        if sha256(path) != digest:
            raise InputError(
                f"{path} is not what was written (its SHA-256 is another): give --overwrite to make it anew"
            )
