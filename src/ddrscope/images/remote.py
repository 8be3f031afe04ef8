"""Images in an object store, by URI (``s3://bucket/folder``, ``gs://...``).

Objects are listed, and downloaded one at a time into a temporary file. Every URI that `pyarrow.fs.FileSystem.from_uri`
opens is supported. Credentials and endpoints come from where the store's own tools take them (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL`` ...), or from the URI's query (``?endpoint_override=localhost:5000&scheme=http``).
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType

from ddrscope.errors import InputError, printable
from ddrscope.images.size_limits import MAX_PIXELS

# Four channels of 32 bits, and metadata. A store, which others may write to, must not fill this machine's disk.
MAX_OBJECT_BYTES = 17 * MAX_PIXELS
_CHUNK_BYTES = 1 << 24


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URI rather than a path."""
    return isinstance(source, str) and "://" in source


def uri_parts(uri: str) -> tuple[str, ...]:
    """Bucket, folders and name of a URI."""
    return PurePosixPath(uri.partition("?")[0].partition("://")[2]).parts


def list_objects(uri: str) -> Iterator[str]:
    """List the objects below a URI, or the URI itself if it is an object.

    Raises:
        InputError: The store cannot be reached, or there is nothing at the URI.
    """
    location, _, query = uri.partition("?")
    try:
        system, path = _open(uri)
        info = system.get_file_info(path)
        if info.type is FileType.File:
            yield uri
            return
        if info.type is FileType.NotFound:
            raise InputError(f"no such object or folder: {uri}")
        entries = system.get_file_info(FileSelector(path, recursive=True))
    except (OSError, ArrowException, ValueError) as error:
        raise InputError(f"{uri} cannot be listed: {printable(str(error))}") from None
    base = location.rstrip("/")
    for entry in entries:
        if entry.type is FileType.File:
            yield base + entry.path.removeprefix(path.rstrip("/")) + (f"?{query}" if query else "")


@contextmanager
def local_copy(path: Path | str) -> Iterator[Path]:
    """Yield a path on this machine: a `Path` unchanged, or a temporary copy of the object at a URI."""
    if isinstance(path, Path):
        yield path
        return
    system, inner_path = _open(path)
    with tempfile.NamedTemporaryFile(prefix="ddrscope-") as file:
        with system.open_input_stream(inner_path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                file.write(chunk)
                if file.tell() > MAX_OBJECT_BYTES:
                    raise OSError(f"the object is larger than {MAX_OBJECT_BYTES} bytes, the limit for images")
        file.flush()
        yield Path(file.name)


def _open(uri: str) -> tuple[FileSystem, str]:
    location, _, query = uri.partition("?")
    scheme, _, path = location.partition("://")
    bucket = path.partition("/")[0]
    return _file_system(f"{scheme}://{bucket}" + (f"?{query}" if query else "")), path


@functools.lru_cache(maxsize=16)
def _file_system(uri: str) -> FileSystem:
    # Cached: one connection for all objects of a bucket.
    return FileSystem.from_uri(uri)[0]
