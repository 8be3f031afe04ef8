"""Copying and moving files into the output so that a run killed at any moment loses nothing and doubles nothing.

A file appears under its final name in one step, complete, and never in place of another file. A moved file leaves its
old place after that. The files alone show how far a run came, so a resumed one needs no journal.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ddrscope.errors import InputError, printable
from ddrscope.images import ImageFile
from ddrscope.images.naming import unique_names
from ddrscope.io.files import sha256

# Errors of a file that is elsewhere than the target, or of file systems and users that may not make links.
_NO_HARD_LINKS = (
    errno.EXDEV, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL,
)  # fmt: skip
# Errors that end the run, since every other file would meet them too.
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
_CHUNK = 1 << 20
TEMPORARY = ".part"


class NotTransferred(InputError):
    """A file stays where it is; the message says why."""


@dataclass
class Transfer:
    """Brings files into a folder, each once.

    Args:
        out: The folder, of which this process holds the lock.
        parts: A folder in it for unfinished copies.
        move: Move the files instead of copying them.
    """

    out: Path
    parts: Path
    move: bool
    _claimed: set[tuple[int, int]] = field(default_factory=set)

    def __call__(self, file: ImageFile, folder: str, digest: str | None = None) -> Path:
        """Bring a file to ``folder/NAME`` below the output; does nothing if an earlier run did so.

        Args:
            file: The file; its name is its place below the folder.
            folder: A folder below the output.
            digest: SHA-256 that the file must have.

        Returns:
            Where it is now.

        Raises:
            NotTransferred: The file stays where it is: a link leads to it out of the images' folder, it is no regular
                file, was changed, another file has its name in the output, or it cannot be read or removed.
            OSError: Nothing more can be written.
        """
        if not isinstance(file.path, Path):
            raise NotTransferred("is in an object store: only files on this machine are copied and moved")
        if "\0" in str(file.path):
            raise NotTransferred("no such file")
        source, name = _behind_links(file.path, _relative(file.name))
        if Path(os.path.abspath(source)).is_relative_to(os.path.abspath(self.out)):
            raise NotTransferred("lies in the output already")
        target = self.out / folder / name
        try:
            self._make_folders(target.parent)
            if os.path.lexists(target):
                self._resume(source, target, digest)
            else:
                self._bring(source, target, digest)
        except OSError as error:
            if error.errno in _FATAL:
                raise
            raise NotTransferred(printable(error.strerror or str(error)).lower()) from None
        self._claimed.add(_identity(target.lstat()))
        return target

    def _make_folders(self, folder: Path) -> None:
        """Make the folders below the output, and check that none is a link: it could lead anywhere."""
        current = self.out
        for part in folder.relative_to(self.out).parts:
            current = current / part
            with suppress(FileExistsError):
                current.mkdir()
            if not stat.S_ISDIR(current.lstat().st_mode):
                raise NotTransferred(f"{printable(str(current))} is no folder: nothing is written below it")

    def _resume(self, source: Path, target: Path, digest: str | None) -> None:
        """Complete what a killed run began, if the target is this file; no other file is touched."""
        status = target.lstat()
        clash = NotTransferred(f"{printable(str(target))} is another file: nothing is overwritten")
        if not stat.S_ISREG(status.st_mode) or _identity(status) in self._claimed:
            raise clash
        if not os.path.lexists(source):
            if not self.move or (digest and sha256(target) != digest):
                raise clash
            return
        _check_regular(source)
        if self.move and os.path.samestat(source.lstat(), status):
            source.unlink()
            return
        if sha256(target) != sha256(source):
            raise clash
        if self.move:
            source.unlink()

    def _bring(self, source: Path, target: Path, digest: str | None) -> None:
        _check_regular(source)
        if self.move and self._linked(source, target, digest):
            pass
        else:
            self._copy(source, target, digest)
        if self.move:
            _sync(target.parent)
            try:
                source.unlink()
            except OSError as error:
                # It would be there twice.
                target.unlink()
                raise NotTransferred(f"cannot be removed from its folder: {printable(error.strerror or '')}") from None

    def _linked(self, source: Path, target: Path, digest: str | None) -> bool:
        """Give the file its new name beside the old one, which fails if the name is taken; False where that is not possible."""
        if digest and sha256(source) != digest:
            raise NotTransferred("has changed since it was identified")
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return False
        return True

    def _copy(self, source: Path, target: Path, digest: str | None) -> None:
        temporary = self.parts / f"{secrets.token_hex(8)}{TEMPORARY}"
        try:
            read = _copy_content(source, temporary)
            if digest and read != digest:
                raise NotTransferred("has changed since it was identified")
            if sha256(temporary) != read:
                raise NotTransferred("its copy is not the same as the file: check the disk")
            with suppress(OSError):
                shutil.copystat(source, temporary, follow_symlinks=False)
            _place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _relative(name: str) -> PurePosixPath:
    """The name of an image as a path that stays below the folder it is joined to."""
    path = PurePosixPath(name)
    # Names come from `find_images`, which makes them safe, but those in a table's index come from a file.
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name or Path(name).anchor:
        raise NotTransferred(f"its name {printable(name)[:100]!r} leads out of the output")
    return path


def _behind_links(path: Path, name: PurePosixPath) -> tuple[Path, PurePosixPath]:
    """The file itself and its name, where links below the source of the images lead to another place in the source.

    Raises:
        NotTransferred: They lead out of it.
    """
    below = [path, *path.parents][: len(name.parts)]
    link = next((each for each in reversed(below) if each.is_symlink()), None)
    if link is None:
        return path, name
    base = Path(os.path.realpath(below[-1].parent))
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(base) or real == base:
        raise NotTransferred(f"{printable(str(link))} is a symbolic link that leads out of the images' folder")
    return real, PurePosixPath(unique_names([real], {real: len(real.parts) - len(base.parts)})[real])


def _check_regular(source: Path) -> None:
    try:
        mode = source.lstat().st_mode
    except FileNotFoundError:
        raise NotTransferred("no such file") from None
    if not stat.S_ISREG(mode):
        raise NotTransferred("is no regular file")


def _copy_content(source: Path, temporary: Path) -> str:
    """Copy and flush a file, and return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    # Not through a link that took the file's place after it was checked.
    descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as reader, temporary.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _place(temporary: Path, target: Path) -> None:
    """Give a complete file its final name, in one step and not in place of another file."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A file system without links: the lock keeps other runs out between these two lines.
        if os.path.lexists(target):
            raise NotTransferred(f"{printable(str(target))} is another file: nothing is overwritten") from None
        temporary.rename(target)


def _sync(folder: Path) -> None:
    """Flush a folder, so that the new name is on disk before the old one goes; not all systems can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
