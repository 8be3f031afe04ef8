"""Files written whole and read safely, and what a run leaves on disk: the output folder with its lock, the manifest."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import stat
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from ddrscope.differences import check_same
from ddrscope.errors import InputError
from ddrscope.locks import LOCK, FolderLock
from ddrscope.paths import expand_path

MANIFEST = "manifest.json"
# What a run writes at the top of its folder; nothing else is ever removed.
OURS = (
    "parts", "figures", "analysis.json", "embedding.parquet", "thumbnails.parquet", "report.html", MANIFEST,
    "study.json", "claims.csv", "layers.csv", "checkpoints.csv", "paths.csv", "trainings", "pictures", "analyses",
    "generalization.json", "generalization.csv", "upscale.json", "compare", "explain", "map.json", "map.parquet", "map.html",
)  # fmt: skip
# Those of them that only the run with the lock writes into.
OUR_FOLDERS = ("parts", "figures", "compare", "explain")
MAX_JSON = 1 << 30
LIBRARIES = ("ddrscope", "torch", "numpy", "scipy", "scikit-learn", "openTSNE", "spandrel", "Pillow")


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


class RunFolder:
    """The output folder of one run: refuses another run's, resumes its own, keeps two processes apart.

    ``settings`` and ``inputs`` decide whether a folder is the same run's; an input stands for the setting of its name, which is only how
    somebody wrote it. ``parts`` is where finished pieces are kept until the run is done.
    Use as a context manager. Raises `InputError` when the folder is not empty and neither ``resume`` nor ``overwrite`` is
    given, when it holds a run of other settings, or when a living process works in it.
    """

    def __init__(
        self,
        path: str | Path,
        settings: Mapping[str, Any],
        resume: bool = False,
        overwrite: bool = False,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = expand_path(path)
        self.parts = self.path / "parts"
        self.settings, self.inputs = (json.loads(json.dumps(without_nan(given or {}))) for given in (settings, inputs))
        self.resume, self.overwrite = resume, overwrite
        self._lock = FolderLock(self.path)
        self._occupied = False

    def __enter__(self) -> RunFolder:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file: --out needs a folder")
        for one in (self.path / LOCK, self.parts):
            # What lies there is written over or deleted; a folder from elsewhere must not point at another's files.
            if one.is_symlink():
                raise InputError(f"{one} is a symbolic link, which no run makes: remove it, or choose another --out")
        if not exists(self.path / LOCK):
            # Nothing, not even a lock, is written into a folder that is refused.
            self._check()
        with ExitStack() as stack:
            stack.enter_context(self._lock)
            # Another run may have begun or ended until the lock was had.
            self._occupied = self._check()
            self.parts.mkdir(parents=True, exist_ok=True)
            self._remove_stale_temp_files()
            if self._occupied and self.overwrite:
                self._clear()
            if not self._occupied or self.overwrite:
                write_json(self.path / MANIFEST, manifest(self.settings, self.inputs))
            stack.pop_all()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure and self.parts.is_dir() and not any(self.parts.iterdir()):
            # It failed before it kept anything: the corrected command finds the folder as this one did.
            self.parts.rmdir()
            if not self._occupied and {item.name for item in self.path.iterdir()} == {MANIFEST, LOCK}:
                (self.path / MANIFEST).unlink()
        self._lock.release()

    def is_finished(self, *results: str) -> bool:
        """Whether the run is to be resumed and all its ``results`` lie there: one that somebody deleted is made again."""
        return self.resume and all(is_file(self.path / name) for name in results)

    def finish(self) -> None:
        """Delete the kept pieces: the result is on disk."""
        for part in self.parts.glob("*"):
            part.unlink()
        self.parts.rmdir()

    def discard(self) -> None:
        """Delete the whole folder: it held nothing but pieces of a file that is written now."""
        doomed = self.path.with_name(f".{self.path.name}.done")
        if os.name == "nt":
            # A folder in which a file is open cannot be renamed there.
            self._lock.release()
        shutil.rmtree(doomed, ignore_errors=True)
        # In one step, so that a process which dies here leaves no half of it to be resumed.
        self.path.rename(doomed)
        shutil.rmtree(doomed)

    def _check(self) -> bool:
        """Whether something lies in the folder; `InputError` where it may be neither gone on with nor replaced."""
        # An empty folder of that name holds nothing; one that is not, without a manifest, is another's.
        free = {LOCK} if exists(self.parts) and any(self.parts.iterdir()) else {LOCK, "parts"}
        occupied = self.path.is_dir() and any(item.name not in free for item in self.path.iterdir())
        if occupied and not self.overwrite:
            self._check_same_run()
        elif occupied and not (self.path / MANIFEST).is_file():
            # A folder named by mistake must not lose another's files.
            raise InputError(f"{self.path} is not empty and holds no earlier run: nothing there is overwritten, choose another --out")
        return occupied

    def _check_same_run(self) -> None:
        if not self.resume:
            raise InputError(
                f"{self.path} is not empty: give --resume to go on with it, --overwrite to replace it, or another --out"
            )
        before = begun_settings(self.path / MANIFEST)
        if before is None:
            raise InputError(f"{self.path} holds no run that could be resumed: give --overwrite or another --out")
        check_same(before, self.settings | self.inputs, str(self.path))

    def _remove_stale_temp_files(self) -> None:
        remove_stale_temp_files(self.path / name for name in OURS)
        for folder in (self.path / name for name in OUR_FOLDERS):
            if not folder.is_symlink():
                for left in folder.rglob(".*.tmp"):
                    left.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Remove only what a run writes, never a stranger's file in a folder named by mistake."""
        for item in sorted(self.path.rglob("*"), reverse=True):
            if item.relative_to(self.path).parts[0] not in OURS:
                continue
            # A link is removed, not what it points to.
            if item.is_symlink() or not item.is_dir():
                item.unlink()
            elif item != self.parts and not any(item.iterdir()):
                item.rmdir()
