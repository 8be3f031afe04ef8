"""Images in an object store, by URI (``s3://bucket/folder``, ``gs://...``): listed, and fetched one at a time into a temporary file.

What goes by URI is what `pyarrow.fs.FileSystem.from_uri` opens; credentials and endpoints come from where the store's own tools take
them (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` ...), or from the URI's query (``?endpoint_override=localhost:5000&scheme=http``).
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
from ddrscope.images.decoding import MAX_PIXELS

# Four channels of 32 bits, and metadata: whoever fills the store does not fill this machine's disk.
MAX_OBJECT_BYTES = 17 * MAX_PIXELS
_PART = 1 << 24


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URI and no path."""
    return isinstance(source, str) and "://" in source


def parts_of(uri: str) -> tuple[str, ...]:
    """Bucket and folders of a URI, and the name last."""
    return PurePosixPath(uri.partition("?")[0].partition("://")[2]).parts


def list_objects(uri: str) -> Iterator[str]:
    """The URIs of all objects below a URI, or itself where it is one; `InputError` where the store cannot be reached or has none."""
    location, _, query = uri.partition("?")
    try:
        system, path = _open(uri)
        found = system.get_file_info(path)
        if found.type is FileType.File:
            yield uri
            return
        if found.type is FileType.NotFound:
            raise InputError(f"no such object or folder: {uri}")
        below = system.get_file_info(FileSelector(path, recursive=True))
    except (OSError, ArrowException, ValueError) as error:
        raise InputError(f"{uri} cannot be listed: {printable(str(error))}") from None
    base = location.rstrip("/")
    for one in below:
        if one.type is FileType.File:
            yield base + one.path.removeprefix(path.rstrip("/")) + (f"?{query}" if query else "")


@contextmanager
def local_copy(path: Path | str) -> Iterator[Path]:
    """A path on this machine: a local one as it is, the object of a URI in a temporary file while the block runs."""
    if isinstance(path, Path):
        yield path
        return
    system, inside = _open(path)
    with tempfile.NamedTemporaryFile(prefix="ddrscope-") as file:
        with system.open_input_stream(inside) as stream:
            while part := stream.read(_PART):
                file.write(part)
                if file.tell() > MAX_OBJECT_BYTES:
                    raise OSError(
                        f"the object is larger than {MAX_OBJECT_BYTES} bytes, more than any image that is read"
                    )
        file.flush()
        yield Path(file.name)


def _open(uri: str) -> tuple[FileSystem, str]:
    location, _, query = uri.partition("?")
    scheme, _, path = location.partition("://")
    bucket = path.partition("/")[0]
    return _file_system(f"{scheme}://{bucket}" + (f"?{query}" if query else "")), path


@functools.lru_cache(maxsize=16)
def _file_system(uri: str) -> FileSystem:
    # One connection for all objects of a bucket.
    return FileSystem.from_uri(uri)[0]
