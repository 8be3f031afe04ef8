"""Searching folders, globs, lists and object stores for image files."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterator
from pathlib import Path

from ddrscope.errors import InputError
from ddrscope.images.remote import is_remote, list_objects, uri_parts
from ddrscope.images.skipped_files import SkippedFiles
from ddrscope.io.files import exists, read_text
from ddrscope.io.paths import expand

_LIST_SUFFIXES = frozenset({".txt", ".lst"})
_MAX_LIST_BYTES = 1 << 28


def search(source: str | Path, skipped: SkippedFiles) -> Iterator[tuple[Path | str, int]]:
    """Find the files of a source.

    Args:
        source: A folder, glob, list, URI or file, as `find_images` takes it.
        skipped: Collects the files that are skipped.

    Yields:
        Absolute paths and URIs, each with how many of its last parts make its name.

    Raises:
        InputError: The source does not exist, or the list cannot be read.
    """
    if "\0" in str(source):
        raise InputError(f"no such file or folder: {str(source)!r}, since no name contains a NUL")
    if isinstance(source, str) and is_remote(source):
        yield from _search_store(source, skipped)
        return
    source = expand(str(source))
    try:
        path = Path(os.path.abspath(source))
        path.exists()
    # The name is too long, or the folder may not be read.
    except OSError as error:
        raise InputError(
            f"no such file or folder: {str(source)[:200]} ({getattr(error, 'strerror', None) or error})"
        ) from None
    if path.is_dir():
        yield from _search_folder(path, path, skipped)
    elif path.is_file() and path.suffix.lower() in _LIST_SUFFIXES:
        yield from _read_list(path)
    elif path.exists():
        yield path, 1
    elif glob.has_magic(str(path)):
        base = path
        while glob.has_magic(str(base)):
            base = base.parent
        for match in sorted(set(map(Path, _glob(str(path), skipped)))):
            if match.is_dir():
                yield from _search_folder(match, base, skipped)
            elif skipped.accepts(match):
                yield match, _depth(match, base)
    else:
        siblings = os.listdir(path.parent) if path.parent.is_dir() else []
        similar = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f"; did you mean {path.parent / similar[0]}?" if similar else ""
        raise InputError(f"no such file or folder: {source}{hint}")


def _glob(pattern: str, skipped: SkippedFiles) -> Iterator[str]:
    """Like `glob.glob` with ``**``, but each folder is entered once: links to parent folders would never end."""
    before, stars, after = pattern.partition(f"{os.sep}**{os.sep}")
    if not stars:
        yield from glob.glob(pattern.removesuffix(f"{os.sep}**"))
        return
    for top in glob.glob(before or os.sep):
        for folder, *_ in _walk(Path(top), skipped):
            yield from _glob(os.path.join(glob.escape(folder), after), skipped)


def _search_folder(folder: Path, base: Path, skipped: SkippedFiles) -> Iterator[tuple[Path, int]]:
    for current, _, files in _walk(folder, skipped):
        for name in sorted(files):
            path = Path(current, name)
            if not name.startswith(".") and skipped.accepts(path):
                yield path, _depth(path, base)


def _walk(folder: Path, skipped: SkippedFiles) -> Iterator[tuple[str, list[str], list[str]]]:
    entered: set[tuple[int, int]] = set()
    for current, folders, files in os.walk(folder, onerror=skipped.add_unreadable_folder, followlinks=True):
        status = os.stat(current)
        # Links may lead back to a parent folder: each folder is entered once.
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield current, folders, files


def _search_store(uri: str, skipped: SkippedFiles) -> Iterator[tuple[str, int]]:
    depth = len(uri_parts(uri))
    for found in list_objects(uri):
        parts = uri_parts(found)[depth:]
        is_hidden = any(part.startswith(".") for part in parts)
        if not parts or (not is_hidden and skipped.accepts(parts[-1])):
            yield found, len(parts) or 1


def _read_list(list_file: Path) -> Iterator[tuple[Path | str, int]]:
    try:
        lines = read_text(list_file, _MAX_LIST_BYTES).splitlines()
        if any("\0" in line for line in lines):
            raise ValueError("a NUL")
    except ValueError:
        raise InputError(f"{list_file} is not a text file: a list has one path a line, in UTF-8") from None
    except OSError as error:
        raise InputError(
            f"{list_file} cannot be read as a list ({error.strerror or error}): a list has one path a line"
        ) from None
    for line in map(str.strip, lines):
        if is_remote(line):
            yield line, 1
        elif line and not line.startswith("#"):
            path = Path(os.path.abspath(list_file.parent / _expand_line(line, list_file.parent)))
            yield path, _depth(path, list_file.parent)


def _expand_line(line: str, folder: Path) -> str:
    path = expand(line, folder)
    # Lists are untrusted: a message about a missing file must not show the value of an environment variable.
    return path if "$" not in line or exists(folder / path) else os.path.expanduser(line)


def _depth(path: Path, base: Path) -> int:
    return max(1, len(path.parts) - len(base.parts)) if path.is_relative_to(base) else 1
