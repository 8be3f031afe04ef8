"""Which process works in a folder: a lock that the operating system releases when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ddrscope.errors import InputError

LOCK = ".lock"
# What the system says where it has no locks, and where the name is that of a folder or a link.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
NO_FILE = (errno.EISDIR, errno.ELOOP)


class FolderLock:
    """Keeps every other process out of a folder while the block runs; the folder is made where there is none, and removed if left empty.

    It does not ask whether a process is alive, so it also holds between containers, and between machines where their file system shares
    locks. Raises `InputError` where another process has the lock, and where the file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / LOCK
        # A lock without the kernel's help would outlive its process, and be broken by guesses.
        self._lock = FileLock(self.path, blocking=False, thread_local=False, fallback_to_soft=False)
        self._locked: os.stat_result | None = None
        self._made = False

    def __enter__(self) -> FolderLock:
        self._made = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        # No such file: another run removed the folder, which was empty, at this moment.
        except (Timeout, FileNotFoundError):
            raise InputError(f"{self.folder} is in use by another run: wait for it or choose another --out") from None
        except OSError as error:
            if error.errno in NO_FILE:
                raise InputError(
                    f"{self.path} is no file, which no run makes: remove it, or choose another --out"
                ) from None
            if error.errno not in NO_LOCKS:
                raise
            raise InputError(
                f"{self.folder} lies on a file system without locks ({error.strerror}), where two runs could spoil each other's files: "
                "choose an --out on another"
            ) from None
        self._locked = self.path.lstat()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock back and remove its file; nothing where it was given back before."""
        if not self._lock.is_locked:
            return
        in_place = self._is_in_place()
        if in_place and os.name != "nt":
            # While it is held: whoever opened the file meanwhile finds that it has no name any more, and does not take it for the lock.
            self.path.unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):
            if in_place and os.name == "nt":
                # An open file cannot be removed there; one that another process has opened stays.
                self.path.unlink()
            if in_place and self._made:
                self.folder.rmdir()

    def _is_in_place(self) -> bool:
        """Whether the folder is still the one that was locked, and not another of the same name after it was moved away."""
        try:
            return self._locked is not None and os.path.samestat(self.path.lstat(), self._locked)
        except OSError:
            return False
