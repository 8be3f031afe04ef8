"""The images of a run: which they are, and whether they are still the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from ddrscope.errors import InputError, RunConflictError, printable
from ddrscope.images.files import ImageFile, find_images
from ddrscope.images.reading import MAX_HASHED_BYTES
from ddrscope.io.files import sha256

# Threads, since hashing waits for the disk and does not hold the interpreter's lock.
HASHING_THREADS = 4
HASHED_AT_ONCE = 256


def digest_of(file: ImageFile) -> str | None:
    """The SHA-256 of an image file, as `read_ahead` gives it.

    Returns:
        None if there is no file, if it is larger than `MAX_HASHED_BYTES`, and for an object in a store, which is not
        downloaded for this.
    """
    try:
        if isinstance(file.path, Path) and file.path.is_file() and file.path.stat().st_size <= MAX_HASHED_BYTES:
            return sha256(file.path)
    except OSError:
        pass
    return None


def digests(files: Sequence[ImageFile], step: Callable[[int], None] = lambda _: None) -> list[str | None]:
    """The result of `digest_of` for every file; ``step`` is called with the number of files done since the last call."""
    done: list[str | None] = []
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for start in range(0, len(files), HASHED_AT_ONCE):
            done += pool.map(digest_of, files[start : start + HASHED_AT_ONCE])
            step(len(done) - start)
    return done


def find_inputs(sources: Iterable[str | Path], outputs: Iterable[Path] = ()) -> list[ImageFile]:
    """Find images, leaving out what the run itself writes.

    Args:
        sources: As `find_images` takes them.
        outputs: Files and folders that the run writes; images below them are left out, also where a source reaches
            them through a symbolic link.

    Raises:
        InputError: As `find_images`; or every image lies below ``outputs``.
    """
    outputs = list(outputs)
    absolute = [Path(os.path.abspath(path)) for path in outputs]
    # Also by their real path: the folder of the images may be reached through a link.
    excluded = {*absolute, *(Path(os.path.realpath(path)) for path in outputs)}

    @lru_cache(maxsize=1024)
    def real(folder: Path) -> Path:
        return Path(os.path.realpath(folder))

    @lru_cache(maxsize=1024)
    def is_below_outputs(folder: Path) -> bool:
        return any(name.is_relative_to(each) for name in (folder, real(folder)) for each in excluded)

    def is_output(path: Path) -> bool:
        return is_below_outputs(path.parent) or path in excluded or real(path.parent) / path.name in excluded

    files = find_images(list(sources))
    kept = [file for file in files if isinstance(file.path, str) or not is_output(file.path)]
    if not kept:
        raise InputError(f"every image lies below {absolute[0]}, where results go: choose an `out` elsewhere")
    return kept


def image_inputs(
    sources: Iterable[str | Path], limit: int | None = None, outputs: Iterable[Path] = ()
) -> dict[str, str | None]:
    """The SHA-256 of the images of a run by path, which decides whether another run is the same.

    Args:
        sources: As `find_images` takes them.
        limit: Only so many images, in the order of their names. Default: all.
        outputs: As `find_inputs` takes them.
    """
    files = find_inputs(sources, outputs)[:limit]
    return dict(zip((str(file.path) for file in files), digests(files), strict=True))


def new_images(known: Iterable[ImageFile], files: Sequence[ImageFile], holder: str) -> list[ImageFile]:
    """The images of a resumed run that are not in the earlier one.

    Args:
        known: The images of the earlier run.
        files: The images of this run.
        holder: The file or folder of the earlier run, for messages.

    Raises:
        RunConflictError: A known image is not among ``files``, or has another name there.
    """
    names = {os.fsencode(file.path): file.name for file in files}
    missing, seen = [], set()
    for file in known:
        key = os.fsencode(file.path)
        if key not in names:
            missing.append(file)
        elif names[key] != file.name:
            # Where two sources have a name in common, `find_images` puts folders before it.
            raise RunConflictError(
                f"{holder} calls {printable(str(file.path))} {file.name}, and with the images given now it would be "
                f"{names[key]}: give the same sources, `overwrite`=True, or another `out`"
            )
        seen.add(key)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RunConflictError(
            f"{holder} holds a run of {printable(str(missing[0].path))}{more}, not among the images given now: "
            "give the same images and perhaps more, `overwrite`=True, or another `out`"
        )
    return [file for file in files if os.fsencode(file.path) not in seen]


def check_unchanged(
    files: Sequence[ImageFile], before: Sequence[str | None], holder: str, step: Callable[[int], None] = lambda _: None
) -> None:
    """Check that image files are what they were; objects in a store are not checked.

    Args:
        files: The image files.
        before: Their SHA-256 in the earlier run.
        holder: The file or folder of the earlier run, for the message.
        step: Called with the number of files done since the last call.

    Raises:
        RunConflictError: Names the first file that changed.
    """
    local = [(file, digest) for file, digest in zip(files, before, strict=True) if isinstance(file.path, Path)]
    now = digests([file for file, _ in local], step)
    for (file, digest), current in zip(local, now, strict=True):
        if digest != current:
            raise RunConflictError(
                f"{printable(str(file.path))} has changed since {holder} was made of it: "
                "give `overwrite`=True, or another `out`"
            )
