"""An output file and what lies beside it: the folder in which it is made, its manifest, its companions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrscope.errors import RunConflictError
from ddrscope.io.differences import check_same
from ddrscope.io.files import read_json, sha256
from ddrscope.io.manifest import MANIFEST, read_settings


def parts_path(out: Path) -> Path:
    """The folder in which the file ``out`` is made."""
    return out.with_name(f"{out.name}.parts")


def manifest_path(out: Path) -> Path:
    """The manifest beside the finished file ``out``."""
    return out.with_name(f"{out.name}.manifest.json")


def resumable_manifest(out: Path) -> Path:
    """The manifest of the run that `resume` continues: the unfinished one if there is one, else that of the finished file."""
    unfinished = parts_path(out) / MANIFEST
    return unfinished if unfinished.exists() else manifest_path(out)


def check_finished(out: Path, settings: Mapping[str, Any], companions: Sequence[Path] = ()) -> None:
    """Check that a finished file is of the same settings and was not changed since.

    Args:
        out: The file.
        settings: The settings and inputs of the run that is starting.
        companions: Other files that the run wrote with it.

    Raises:
        RunConflictError: Settings or inputs differ, the manifest cannot be read, or a file is missing or was changed.
    """
    before = read_settings(manifest_path(out))
    try:
        recorded = read_json(manifest_path(out))
        digests = {out: recorded["sha256"]} | {path: recorded["beside"][path.name] for path in companions}
    except (OSError, ValueError, KeyError, TypeError):
        before = None
    if before is None:
        raise RunConflictError(
            f"{out} has no readable {manifest_path(out).name}, so it cannot be verified: give `overwrite`=True"
        )
    check_same(before, settings, str(out))
    for path, digest in digests.items():
        if not path.is_file():
            raise RunConflictError(
                f"{path} is missing, which belongs to {out}: give `overwrite`=True to make both again"
            )
        if sha256(path) != digest:
            raise RunConflictError(
                f"{path} is not what was written (its SHA-256 is another): give `overwrite`=True to make it again"
            )
