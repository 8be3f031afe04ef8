"""Unique names of images, and of the files that are made of them."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ddrscope.errors import escaped
from ddrscope.images.image_file import ImageFile
from ddrscope.images.remote import uri_parts

# Results are named after images, with a few letters more; file systems allow 255 bytes.
_MAX_NAME_BYTES = 200


def unique_names(paths: Iterable[Path | str], depths: Mapping[Path | str, int]) -> dict[Path | str, str]:
    """The shortest unique name of each path or URI.

    Args:
        paths: Absolute paths and URIs, each once.
        depths: How many of its last parts name each of them below its source. Names that occur twice get more parts.
    """
    depth = {path: depths[path] for path in paths}
    while True:
        # Never with the root: an absolute name would be written to where it points, outside the output.
        names = {path: "/".join(map(_safe_part, _parts(path)[-count:])) or "\\root" for path, count in depth.items()}
        count_of = Counter(names.values())
        clashing = [path for path, name in names.items() if count_of[name] > 1]
        if not clashing:
            return names
        for path in clashing:
            depth[path] += 1


def result_names(files: Sequence[ImageFile], suffix: str) -> dict[ImageFile, PurePosixPath]:
    """The relative path of each image's result: its name with ``suffix`` in place of its own suffix.

    If two results would have the same name (IMG_1.jpg and IMG_1.png), each keeps its own suffix too: IMG_1.jpg.png and
    IMG_1.png.png. Names that differ only in case or in the Unicode form of an accent count as the same, since some
    file systems do not distinguish them. A result that would have the name of a folder of other results keeps its
    suffix too.

    Args:
        files: Images with unique names.
        suffix: Suffix of the results, as ``.png``.
    """
    short = {file: PurePosixPath(file.name).with_suffix(suffix) for file in files}
    long = {file: PurePosixPath(file.name + suffix) for file in files}
    names = dict(short)
    while True:
        count_of = Counter(map(_normalized, names.values()))
        count_of.update({_normalized(folder) for name in names.values() for folder in name.parents})
        # The long name of one image may be the short name of a third.
        clashing = [file for file, name in names.items() if count_of[_normalized(name)] > 1 and name != long[file]]
        if not clashing:
            return names
        names.update({file: long[file] for file in clashing})


def _parts(path: Path | str) -> tuple[str, ...]:
    # Two stores, or a store and this machine, may hold the same path: the URI as a whole, before all other parts,
    # distinguishes them.
    return path.parts[1:] if isinstance(path, Path) else (path, *uri_parts(path))


def _safe_part(part: str) -> str:
    """A printable form of a part of a path, different for different parts, and short enough to be extended."""
    # A path never contains `..`, but a URI may: results must not be written outside the output.
    text = f"\\{part}" if part in (".", "..") else escaped(part.replace("\\", "\\\\").replace("/", "\\x2f"))
    if len(text.encode()) <= _MAX_NAME_BYTES:
        return text
    stem, suffix = os.path.splitext(text)
    digest = hashlib.blake2b(os.fsencode(part), digest_size=8).hexdigest()
    return (
        f"{stem.encode()[: _MAX_NAME_BYTES - 40].decode(errors='ignore')}~{digest}{suffix if len(suffix) < 8 else ''}"
    )


def _normalized(name: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(name)).casefold())
