"""The output directory of a run: resume, overwrite, one process at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ddrscope.errors import InputError
from ddrscope.io.differences import check_same
from ddrscope.io.files import exists, is_file, remove_stale_temp_files, without_nan, write_json
from ddrscope.io.locks import LOCK, FolderLock
from ddrscope.io.manifest import MANIFEST, begun_settings, manifest
from ddrscope.io.paths import expand_path

# What a run writes at the top of its folder; nothing else is ever removed.
RUN_OUTPUTS = (
    "parts", "figures", "analysis.json", "embedding.parquet", "thumbnails.parquet", "report.html", MANIFEST,
    "study.json", "claims.csv", "layers.csv", "checkpoints.csv", "paths.csv", "trainings", "images", "analyses",
    "generalization.json", "generalization.csv", "upscale.json", "compare", "explain", "map.json", "map.parquet", "map.html",
)  # fmt: skip


# Those of them that only the run with the lock writes into.
RUN_OUTPUT_FOLDERS = ("parts", "figures", "compare", "explain")


class RunDirectory:
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

    def __enter__(self) -> RunDirectory:
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
            raise InputError(
                f"{self.path} is not empty and holds no earlier run: nothing there is overwritten, choose another --out"
            )
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
        remove_stale_temp_files(self.path / name for name in RUN_OUTPUTS)
        for folder in (self.path / name for name in RUN_OUTPUT_FOLDERS):
            if not folder.is_symlink():
                for left in folder.rglob(".*.tmp"):
                    left.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Remove only what a run writes, never a stranger's file in a folder named by mistake."""
        for item in sorted(self.path.rglob("*"), reverse=True):
            if item.relative_to(self.path).parts[0] not in RUN_OUTPUTS:
                continue
            # A link is removed, not what it points to.
            if item.is_symlink() or not item.is_dir():
                item.unlink()
            elif item != self.parts and not any(item.iterdir()):
                item.rmdir()
