"""Files written whole and read safely, and what a run leaves on disk: the output folder with its lock, the manifest."""

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

MAX_JSON = 1 << 30


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; flushed to disk and renamed onto it only when the block ends without error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # A number of its own: process numbers are the same in other containers and on other machines.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        # Some writers put a file of their own there, which nobody else may read.
        temporary.chmod(stat.S_IMODE(mode))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(target)
        raise
    except Exception as error:
        # Libraries written in Rust raise errors of their own and give the system's number in the text.
        if number := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(target)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_stale_temp_files(targets: Iterable[Path]) -> None:
    """Remove what processes that ended were writing to ``targets``; only for who has the lock that guards them."""
    wanted: dict[Path, set[str]] = {}
    for target in targets:
        wanted.setdefault(target.parent, set()).add(target.name)
    for folder, names in wanted.items():
        for left in folder.glob(".*.tmp"):
            if left.name[1:].removesuffix(".tmp").rpartition(".")[0] in names:
                left.unlink(missing_ok=True)


def exists(path: Path) -> bool:
    """Whether something lies there; nothing does under a name that no file can have."""
    try:
        return path.exists()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a regular file lies there: no folder, pipe or device."""
    return exists(path) and path.is_file()


def read_text(path: Path, limit: int = 1 << 16) -> str:
    """The text of a regular file in UTF-8.

    Raises OSError for anything else, a pipe or a device among it, and for more than ``limit`` bytes; UnicodeDecodeError.
    """
    if exists(path) and not path.is_file():
        raise OSError("it is not a file")
    if path.stat().st_size > limit:
        raise OSError(f"it is larger than {limit >> 10} kB")
    return path.read_bytes().decode("utf-8-sig")


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a small TOML file; raises OSError, or ValueError for what is no TOML or nested too deeply."""
    try:
        return tomllib.loads(read_text(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises OSError, or ValueError for what is no JSON or nested too deeply."""
    try:
        return json.loads(read_text(path, MAX_JSON))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_json(target: Path, value: Any) -> None:
    """Write ``value`` as JSON, atomically; NaN becomes null, since JSON has no word for it."""
    with atomic_write(target) as temporary:
        temporary.write_text(json.dumps(without_nan(value), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def without_nan(value: Any) -> Any:
    """The same value with null for NaN and infinity, for which JSON has no word, at any depth."""
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
