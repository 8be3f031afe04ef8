"""Finding image files, and the names they go by."""

from __future__ import annotations

import difflib
import glob
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ddrscope.errors import InputError, escaped
from ddrscope.images.remote import is_remote, list_objects, parts_of
from ddrscope.images.skipped_files import LeftOut, image_suffixes
from ddrscope.io.files import exists, read_text
from ddrscope.io.paths import expand

_logger = logging.getLogger("ddrscope")
LIST_SUFFIXES = frozenset({".txt", ".lst"})
LONGEST_LIST = 1 << 28
# Results are named after images, with some letters more; file systems take 255 bytes.
LONGEST_NAME = 200


@dataclass(frozen=True)
class ImageFile:
    """An image file: `name` is its unique posix path below its source, `photo` the photograph it is (a crop of).

    `path` is a `Path`, or the URI of an object in a store as a `str`.

    Crops of one photograph share `photo`: the name up to a double underscore (`astronaut__2.png` is a crop of
    `astronaut`), else the name without its suffix; with its folder in both cases. What does not print is written as its escape in
    `name` and `photo`, and very long names are cut: they stand in tables and on terminals, and name the files that are made.
    """

    path: Path | str
    name: str
    photo: str


def photo_of(name: str) -> str:
    """The photograph that the image of this name belongs to."""
    folder, slash, last = name.rpartition("/")
    stem = PurePath(last).stem
    return folder + slash + (stem.split("__")[0] or stem)


def find_images(sources: Sequence[str | Path]) -> list[ImageFile]:
    """The image files of folders, globs, list files and single files, sorted by name, each file once.

    `~` and environment variables are expanded, in list files too (`ddrscope.io.paths.expand`).

    - A folder is searched with all its subfolders; hidden files and folders are left out, symbolic links followed. Of several links
      to one file one counts, which is said.
    - A glob (`photos/*.png`, `photos/**/*.jpg`) is expanded; folders it meets are searched.
    - A URI (`s3://bucket/folder`, see `ddrscope.images.remote`) is searched as a folder is.
    - A `.txt` or `.lst` file lists one path or URI a line, paths relative to its own folder; empty lines and lines
      starting with `#` are skipped. A listed file that does not exist is found unreadable when it is read.
    - Any other file is taken as it is.

    Folders and globs give the files with an image's suffix (PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, JPEG XL, .npy, HEIC with its extra;
    in any case); how many files of which other types they left out, and folders that cannot be entered, are logged as a warning. Names are
    relative to the source; where two sources give the same name, folders are put before it until the names differ.
    Raises InputError when a source does not exist or holds no image.
    """
    depths: dict[Path | str, int] = {}
    for source in sources:
        left_out = LeftOut()
        found = list(_expand(source, left_out))
        if not found:
            looked_for = ", ".join(sorted(image_suffixes()))
            raise InputError(
                f"no images in {source} (looked for {looked_for})" + (f": {left_out}" if str(left_out) else "")
            )
        left_out.report(source)
        for path, depth in found:
            depths.setdefault(path, depth)
    unique = {os.path.realpath(path) if isinstance(path, Path) else path: path for path in reversed(depths)}.values()
    if len(unique) < len(depths):
        again = len(depths) - len(unique)
        _logger.warning(
            "%d names are symbolic links to files that are found under other names too: each file is read once", again
        )
    files = [ImageFile(path, name, photo_of(name)) for path, name in _names(unique, depths).items()]
    return sorted(files, key=lambda file: file.name)


def bundled_photos() -> Path:
    """The folder of the bundled photographs: PNG crops of 256 x 256 pixels, and `credits.csv`."""
    return Path(__file__).resolve().parents[1] / "data" / "photos"


def _expand(source: str | Path, left_out: LeftOut) -> Iterator[tuple[Path | str, int]]:
    """Absolute paths and URIs, each with how many of its last parts make its name."""
    if "\0" in str(source):
        raise InputError(f"no such file or folder: {str(source)!r}, since no name holds a NUL")
    if isinstance(source, str) and is_remote(source):
        yield from _stored(source, left_out)
        return
    source = expand(str(source))
    try:
        path = Path(os.path.abspath(source))
        path.exists()
    # A name that is too long, a folder that may not be entered.
    except OSError as error:
        raise InputError(
            f"no such file or folder: {str(source)[:200]} ({getattr(error, 'strerror', None) or error})"
        ) from None
    if path.is_dir():
        yield from _below(path, path, left_out)
    elif path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
        yield from _listed(path)
    elif path.exists():
        yield path, 1
    elif glob.has_magic(str(path)):
        base = path
        while glob.has_magic(str(base)):
            base = base.parent
        for match in sorted(set(map(Path, _glob(str(path), left_out)))):
            if match.is_dir():
                yield from _below(match, base, left_out)
            elif left_out.takes(match):
                yield match, _depth(match, base)
    else:
        siblings = os.listdir(path.parent) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise InputError(f"no such file or folder: {source}{hint}")


def _glob(pattern: str, left_out: LeftOut) -> Iterator[str]:
    """As `glob.glob` with `**`, but each folder is entered once: links that lead back up would be followed for ever."""
    before, stars, after = pattern.partition(f"{os.sep}**{os.sep}")
    if not stars:
        yield from glob.glob(pattern.removesuffix(f"{os.sep}**"))
        return
    for top in glob.glob(before or os.sep):
        for folder, *_ in _walk(Path(top), left_out):
            yield from _glob(os.path.join(glob.escape(folder), after), left_out)


def _below(folder: Path, base: Path, left_out: LeftOut) -> Iterator[tuple[Path, int]]:
    for current, _, files in _walk(folder, left_out):
        for name in sorted(files):
            path = Path(current, name)
            if not name.startswith(".") and left_out.takes(path):
                yield path, _depth(path, base)


def _walk(folder: Path, left_out: LeftOut) -> Iterator[tuple[str, list[str], list[str]]]:
    seen: set[tuple[int, int]] = set()
    for current, folders, files in os.walk(folder, onerror=left_out.cannot_enter, followlinks=True):
        status = os.stat(current)
        # Links may lead back to a folder above: each folder is entered once.
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield current, folders, files


def _stored(uri: str, left_out: LeftOut) -> Iterator[tuple[str, int]]:
    depth = len(parts_of(uri))
    for found in list_objects(uri):
        folders = parts_of(found)[depth:]
        hidden = any(part.startswith(".") for part in folders)
        if not folders or (not hidden and left_out.takes(folders[-1])):
            yield found, len(folders) or 1


def _listed(list_file: Path) -> Iterator[tuple[Path | str, int]]:
    try:
        lines = read_text(list_file, LONGEST_LIST).splitlines()
        if any("\0" in line for line in lines):
            raise ValueError("a NUL")
    except ValueError:
        raise InputError(f"{list_file} is not a text file: a list holds one path a line, in UTF-8") from None
    except OSError as error:
        raise InputError(
            f"{list_file} cannot be read as a list ({error.strerror or error}): a list holds one path a line"
        ) from None
    for line in map(str.strip, lines):
        if is_remote(line):
            yield line, 1
        elif line and not line.startswith("#"):
            path = Path(os.path.abspath(list_file.parent / _expanded(line, list_file.parent)))
            yield path, _depth(path, list_file.parent)


def _expanded(line: str, folder: Path) -> str:
    path = expand(line, folder)
    # A list may be anyone's, and the value of a variable is nobody's business: a file that is not there is named as the list names it.
    return path if "$" not in line or exists(folder / path) else os.path.expanduser(line)


def _depth(path: Path, base: Path) -> int:
    return max(1, len(path.parts) - len(base.parts)) if path.is_relative_to(base) else 1


def _names(paths: Iterable[Path | str], depths: dict[Path | str, int]) -> dict[Path | str, str]:
    depth = {path: depths[path] for path in paths}
    while True:
        # Never with the root: a name that is absolute would be written to where it points, not into the output.
        names = {path: "/".join(map(_part, _parts(path)[-count:])) or "\\root" for path, count in depth.items()}
        count_of = Counter(names.values())
        clashing = [path for path, name in names.items() if count_of[name] > 1]
        if not clashing:
            return names
        for path in clashing:
            depth[path] += 1


def _parts(path: Path | str) -> tuple[str, ...]:
    # Two stores, or a store and this machine, may hold the same path: the whole URI, in one part before all others, tells them apart.
    return path.parts[1:] if isinstance(path, Path) else (path, *parts_of(path))


def _part(part: str) -> str:
    """A part of a name that prints, that no other part is written as, and that leaves room for what is added to it."""
    # Of a path `..` is no part, of a URI it may be: it must not lead out of where results are written.
    written = f"\\{part}" if part in (".", "..") else escaped(part.replace("\\", "\\\\").replace("/", "\\x2f"))
    if len(written.encode()) <= LONGEST_NAME:
        return written
    stem, suffix = os.path.splitext(written)
    whole = hashlib.blake2b(os.fsencode(part), digest_size=8).hexdigest()
    return f"{stem.encode()[: LONGEST_NAME - 40].decode(errors='ignore')}~{whole}{suffix if len(suffix) < 8 else ''}"
