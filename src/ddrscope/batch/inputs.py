"""Which images went into a run, and whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from ddrscope.errors import InputError, printable
from ddrscope.images.files import ImageFile, find_images
from ddrscope.images.reading import MAX_HASHED_BYTES
from ddrscope.io.files import sha256

# ReadResult waits for the disk, hashing does not hold other threads up.
READERS = 4
HASHED_AT_ONCE = 256


def digest_of(file: ImageFile) -> str | None:
    """The SHA-256 of an image file, as `read_ahead` gives it; None where there is nothing to hash, and of an object in a store."""
    try:
        if isinstance(file.path, Path) and file.path.is_file() and file.path.stat().st_size <= MAX_HASHED_BYTES:
            return sha256(file.path)
    except OSError:
        pass
    return None


def digests(files: Sequence[ImageFile], step: Callable[[int], None] = lambda _: None) -> list[str | None]:
    """The SHA-256 of every file, as `digest_of`; ``step`` is called with the number done."""
    found: list[str | None] = []
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, len(files), HASHED_AT_ONCE):
            found += pool.map(digest_of, files[start : start + HASHED_AT_ONCE])
            step(len(found) - start)
    return found


def find_inputs(sources: Iterable[str | Path], results: Iterable[Path] = ()) -> list[ImageFile]:
    """As `find_images`, without the ``results`` of a run, files or folders, that lie below a source; `InputError` if none is left."""
    results = list(results)
    ours = [Path(os.path.abspath(one)) for one in results]
    # By any name: behind a symbolic link may lie the folder of the images, which results would be written over.
    places = {*ours, *(Path(os.path.realpath(one)) for one in results)}
    real = lru_cache(maxsize=1024)(os.path.realpath)

    def is_ours(path: Path) -> bool:
        return any(one.is_relative_to(place) for one in (path, Path(real(path.parent), path.name)) for place in places)

    files = find_images(list(sources))
    kept = [file for file in files if isinstance(file.path, str) or not is_ours(file.path)]
    if not kept:
        raise InputError(f"every image lies below {ours[0]}, where results go: choose an --out elsewhere")
    return kept


def image_inputs(
    sources: Iterable[str | Path], limit: int | None = None, results: Iterable[Path] = ()
) -> dict[str, str | None]:
    """The SHA-256 of the images of ``sources`` by path, as `find_inputs` finds them: what decides whether a run of them is the same."""
    files = find_inputs(sources, results)[:limit]
    return dict(zip((str(file.path) for file in files), digests(files), strict=True))


def new_images(known: Iterable[ImageFile], files: Sequence[ImageFile], holder: str) -> list[ImageFile]:
    """The ``files`` that are not ``known``; `InputError` where one that is known is missing or would get another name."""
    names = {os.fsencode(file.path): file.name for file in files}
    gone, seen = [], set()
    for file in known:
        key = os.fsencode(file.path)
        if key not in names:
            gone.append(file)
        elif names[key] != file.name:
            # Two sources with a name in common: folders are put before it.
            raise InputError(
                f"{holder} calls {printable(str(file.path))} {file.name}, and with the images given now it would be {names[key]}: "
                "give the same sources, --overwrite, or another --out"
            )
        seen.add(key)
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise InputError(
            f"{holder} holds a run of {printable(str(gone[0].path))}{more}, not among the images given now: "
            "give the same images and perhaps more, --overwrite, or another --out"
        )
    return [file for file in files if os.fsencode(file.path) not in seen]


def check_unchanged(
    files: Sequence[ImageFile], before: Sequence[str | None], holder: str, step: Callable[[int], None] = lambda _: None
) -> None:
    """Raise `InputError` where a file is not the one whose SHA-256 was ``before``; objects in a store are not read for that."""
    local = [(file, digest) for file, digest in zip(files, before, strict=True) if isinstance(file.path, Path)]
    now = digests([file for file, _ in local], step)
    for (file, digest), found in zip(local, now, strict=True):
        if digest != found:
            raise InputError(
                f"{printable(str(file.path))} has changed since {holder} was made of it: give --overwrite, or another --out"
            )
