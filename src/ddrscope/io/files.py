"""Atomic writes, and bounded reads of files that may come from anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_TEXT_BYTES = 1 << 16
MAX_JSON_BYTES = 1 << 30


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Write a file completely or not at all.

    Args:
        target: The file to write. Its folder is created if needed.

    Yields:
        A temporary path beside ``target``. It is flushed to disk and renamed to ``target`` when the block ends, and
        removed if the block raises.

    Raises:
        OSError: Names ``target``, also where a library reports the system's error number only in its own message.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Random, since process numbers repeat in other containers and on other machines.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        # Some writers replace the file by one that only its owner may read.
        temporary.chmod(stat.S_IMODE(mode))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(target)
        raise
    except Exception as error:
        # Libraries written in Rust raise their own errors, with the system's number in the text.
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(target)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_stale_temp_files(targets: Iterable[Path]) -> None:
    """Remove the temporary files that killed processes left beside ``targets``; the caller holds the lock that guards them."""
    names_by_folder: dict[Path, set[str]] = {}
    for target in targets:
        names_by_folder.setdefault(target.parent, set()).add(target.name)
    for folder, names in names_by_folder.items():
        for path in folder.glob(".*.tmp"):
            if path.name[1:].removesuffix(".tmp").rpartition(".")[0] in names:
                path.unlink(missing_ok=True)


def exists(path: Path) -> bool:
    """Whether the path exists; False for a name that no file can have."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether the path is a regular file, and no folder, pipe or device."""
    return exists(path) and path.is_file()


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """The text of a regular file in UTF-8.

    Args:
        path: The file.
        limit: The largest size in bytes.

    Raises:
        OSError: The path is not a regular file (a pipe or device, for instance), or the file is larger than ``limit``.
        UnicodeDecodeError: The file is not UTF-8.
    """
    if exists(path) and not path.is_file():
        raise OSError("it is not a file")
    if path.stat().st_size > limit:
        raise OSError(f"it is larger than {limit >> 10} kB")
    return path.read_bytes().decode("utf-8-sig")


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a small TOML file; raises OSError, or ValueError if it is not TOML or nested too deeply."""
    try:
        return tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises OSError, or ValueError if it is not JSON or nested too deeply."""
    try:
        return json.loads(read_text(path, MAX_JSON_BYTES))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as JSON, atomically; NaN and infinity become null, since JSON has neither."""
    with atomic_write(target) as temporary:
        temporary.write_text(json.dumps(without_nan(value), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def without_nan(value: Any) -> Any:
    """The same JSON value with null for NaN and infinity, at any depth."""
    if isinstance(value, float):
        return value if abs(value) != float("inf") and value == value else None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
