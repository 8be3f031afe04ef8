"""Locks on folders, which the operating system releases when their process ends."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ddrscope.errors import RunConflictError

LOCK = ".lock"
# Errors of a file system without locks, and of a lock's path that is a folder or a link.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
NOT_A_FILE = (errno.EISDIR, errno.ELOOP)


class FolderLock:
    """Keeps other processes out of a folder; use it as a context manager.

    The folder is created if it does not exist, and removed at the end if it was created and is empty. The lock belongs
    to the kernel and not to a process number, so it holds between containers, and between machines whose file system
    shares locks. A process that was killed leaves no lock behind.

    Args:
        folder: The folder to lock.

    Raises:
        RunConflictError: Another process holds the lock, or the file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LOCK
        # A lock without the kernel's help would outlive its process.
        self._lock = FileLock(self.path, blocking=False, thread_local=False, fallback_to_soft=False)
        self._locked: os.stat_result | None = None
        self._created_folder = False

    def __enter__(self) -> FolderLock:
        self._created_folder = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        # FileNotFoundError: another run removed the empty folder at this moment.
        except (Timeout, FileNotFoundError):
            raise RunConflictError(
                f"{self.folder} is in use by another run: wait for it or choose another `out`"
            ) from None
        except OSError as error:
            if error.errno in NOT_A_FILE:
                raise RunConflictError(
                    f"{self.path} is not a regular file: remove it, or choose another `out`"
                ) from None
            if error.errno not in NO_LOCKS:
                raise
            raise RunConflictError(
                f"{self.folder} is on a file system without locks ({error.strerror}), "
                "so that two runs could overwrite each other's files: choose an `out` on another file system"
            ) from None
        self._locked = self.path.lstat()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the lock and remove its file; does nothing if it was released before."""
        if not self._lock.is_locked:
            return
        in_place = self._is_in_place()
        if in_place and os.name != "nt":
            # Removed while it is held: a process that opened the file meanwhile sees that it has no name any more.
            self.path.unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):
            if in_place and os.name == "nt":
                # Windows removes no open file; a file that another process has opened stays.
                self.path.unlink()
            if in_place and self._created_folder:
                self.folder.rmdir()

    def _is_in_place(self) -> bool:
        """Whether the path still names the locked file, and not that of a new folder after this one was moved."""
        try:
            return self._locked is not None and os.path.samestat(self.path.lstat(), self._locked)
        except OSError:
            return False
