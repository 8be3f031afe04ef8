"""The output folder of a run: resume, overwrite, one process at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ddrscope.errors import InputError, RunConflictError
from ddrscope.io.differences import check_same
from ddrscope.io.files import exists, is_file, read_json, remove_stale_temp_files, without_nan, write_json
from ddrscope.io.locks import LOCK, FolderLock
from ddrscope.io.manifest import MANIFEST, manifest, read_settings
from ddrscope.io.paths import expand_path

PARTS = "parts"


class RunDirectory:
    """The output folder of one run; use it as a context manager.

    It refuses the folder of another run, resumes its own, and keeps other processes out. Its manifest lists the
    outputs, so that overwriting removes them and nothing else.

    Args:
        path: The folder.
        settings: The settings of the run, as JSON values. A folder whose settings differ is that of another run.
        outputs: Names, at the top of the folder, of the files and folders that the run writes.
        inputs: The content that the run reads, by SHA-256. An input is compared instead of the setting of its name,
            which only says how it was written.
        resume: Continue the run in the folder; start if there is none.
        overwrite: Replace the outputs of an earlier run, whatever its settings.

    Attributes:
        parts: The folder of intermediate results, deleted by `finish`.

    Raises:
        RunConflictError: The folder is not empty and neither ``resume`` nor ``overwrite`` is given, it holds another
            run or files of no run, or another process works in it.
        InputError: The path is a file.
    """

    def __init__(
        self,
        path: str | Path,
        settings: Mapping[str, Any],
        outputs: Iterable[str],
        *,
        inputs: Mapping[str, Any] | None = None,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.path = expand_path(path)
        self.parts = self.path / PARTS
        self.outputs = tuple(outputs)
        # As JSON gives them back, so that they compare equal to those of a manifest.
        self.settings, self.inputs = (json.loads(json.dumps(without_nan(value or {}))) for value in (settings, inputs))
        self.resume, self.overwrite = resume, overwrite
        self._lock = FolderLock(self.path)
        self._occupied = False

    def __enter__(self) -> RunDirectory:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file: `out` must be a folder")
        for path in (self.path / LOCK, self.parts):
            # These are overwritten or deleted: in a folder from elsewhere a link could point to anyone's files.
            if path.is_symlink():
                raise RunConflictError(f"{path} is a symbolic link: remove it, or choose another `out`")
        if not exists(self.path / LOCK):
            # Before locking, since a folder that is refused stays unchanged.
            self._check()
        with ExitStack() as stack:
            stack.enter_context(self._lock)
            # Again, since another run may have started or ended before the lock was acquired.
            self._occupied = self._check()
            self.parts.mkdir(parents=True, exist_ok=True)
            self._remove_stale_temp_files()
            if self._occupied and self.overwrite:
                self._remove_outputs()
            if not self._occupied or self.overwrite:
                write_json(self.path / MANIFEST, manifest(self.settings, self.inputs) | {"outputs": list(self.outputs)})
            stack.pop_all()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure and self.parts.is_dir() and not any(self.parts.iterdir()):
            # It failed before it kept anything: leave the folder as it was.
            self.parts.rmdir()
            if not self._occupied and {item.name for item in self.path.iterdir()} == {MANIFEST, LOCK}:
                (self.path / MANIFEST).unlink()
        self._lock.release()

    def check(self) -> None:
        """Raise `RunConflictError` where entering would, without changing anything.

        Call it before work that comes first, so that nothing is replaced if that fails.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file: `out` must be a folder")
        self._check()

    def is_finished(self, *results: str) -> bool:
        """Whether the run is resumed and all its ``results`` exist; one that was deleted is computed again."""
        return self.resume and all(is_file(self.path / name) for name in results)

    def finish(self) -> None:
        """Delete the intermediate results."""
        for path in self.parts.iterdir():
            path.unlink()
        self.parts.rmdir()

    def discard(self) -> None:
        """Delete the whole folder, for runs whose result is a file beside it."""
        doomed = self.path.with_name(f".{self.path.name}.done")
        if os.name == "nt":
            # Windows does not rename a folder that contains an open file.
            self._lock.release()
        shutil.rmtree(doomed, ignore_errors=True)
        # In one step, so that a process killed here leaves no half of it to be resumed.
        self.path.rename(doomed)
        shutil.rmtree(doomed)

    def _check(self) -> bool:
        """Whether the folder holds anything; raises `RunConflictError` if it can be neither resumed nor replaced."""
        # An empty folder of parts holds nothing; with content and without a manifest it is not that of a run.
        ignored = {LOCK} if exists(self.parts) and any(self.parts.iterdir()) else {LOCK, PARTS}
        occupied = self.path.is_dir() and any(item.name not in ignored for item in self.path.iterdir())
        if occupied and not self.overwrite:
            self._check_same_run()
        elif occupied and not (self.path / MANIFEST).is_file():
            # The folder may have been named by mistake.
            raise RunConflictError(
                f"{self.path} is not empty and holds no earlier run: nothing there is overwritten, choose another `out`"
            )
        return occupied

    def _check_same_run(self) -> None:
        if not self.resume:
            raise RunConflictError(
                f"{self.path} is not empty: give `resume`=True to continue, `overwrite`=True to replace it, "
                "or another `out`"
            )
        before = read_settings(self.path / MANIFEST)
        if before is None:
            raise RunConflictError(
                f"{self.path} holds no run that can be resumed: give `overwrite`=True or another `out`"
            )
        check_same(before, self.settings | self.inputs, str(self.path))

    def _remove_stale_temp_files(self) -> None:
        remove_stale_temp_files(self.path / name for name in (*self.outputs, PARTS, MANIFEST))
        for name in (*self.outputs, PARTS):
            if not (self.path / name).is_symlink():
                for folder, subfolders, files in os.walk(self.path / name):
                    # A folder with a lock of its own is that of another run.
                    subfolders[:] = [each for each in subfolders if not exists(Path(folder, each, LOCK))]
                    for file in files:
                        if file.startswith(".") and file.endswith(".tmp"):
                            Path(folder, file).unlink(missing_ok=True)

    def _remove_outputs(self) -> None:
        """Remove what this run writes, and what the manifest says of the earlier one, but no other file."""
        removable = {*self.outputs, *_recorded_outputs(self.path / MANIFEST), PARTS, MANIFEST} - {LOCK}
        for item in self.path.iterdir():
            if item.name in removable:
                # A link is removed, and not its target.
                if item.is_dir() and not item.is_symlink():
                    shutil.rmtree(item)
                else:
                    item.unlink()
        self.parts.mkdir()


def _recorded_outputs(path: Path) -> list[str]:
    try:
        return [name for name in read_json(path)["outputs"] if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
