"""Photographs inside of unpacked Debian packages and of installed Python packages."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from PIL import Image

from ddrscope.errors import InputError
from photos.pixels import upright
from photos.table import Photograph

# How an image begins inside of a Qt resource file.
IMAGE = re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb]|RIFF....WEBP", re.DOTALL)
# Smaller ones are icons; the numbers in the table count the larger ones.
SMALLEST_EMBEDDED = 400


class Packages:
    """Reads photographs of Debian packages that were unpacked below a folder, and of Python packages of this environment."""

    def __init__(self, unpacked: Path) -> None:
        self.unpacked = unpacked

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]:
        """The photograph as it lies in its package, and the steps that are still to do."""
        name, _, number = photograph.path.partition("#")
        path = self._folder(photograph) / name
        if not path.is_file():
            kind, package = photograph.source.split(":")
            debian = f"apt-get download {package} && dpkg -x {package}_*.deb {self.unpacked}"
            raise InputError(f"{path} does not exist: {debian if kind == 'debian' else f'pip install {package}'}")
        if number:
            resource, starts = _embedded_images(path)
            return upright(Image.open(io.BytesIO(resource[starts[int(number)] :]))), photograph.steps
        with Image.open(path) as image:
            return upright(image), photograph.steps

    def _folder(self, photograph: Photograph) -> Path:
        kind, package = photograph.source.split(":")
        if kind == "debian":
            return self.unpacked
        try:
            return Path(str(distribution(package).locate_file("")))
        except PackageNotFoundError:
            raise InputError(f"{package} is not installed: pip install {package}") from None


@lru_cache(maxsize=1)
def _embedded_images(path: Path) -> tuple[bytes, list[int]]:
    """A Qt resource file, and where its larger images begin, in order."""
    resource, starts = path.read_bytes(), []
    for begin in IMAGE.finditer(resource):
        try:
            image = Image.open(io.BytesIO(resource[begin.start() :]))
            image.load()
        except OSError:
            # These bytes only look like the beginning of an image.
            continue
        if min(image.size) >= SMALLEST_EMBEDDED:
            starts.append(begin.start())
    return resource, starts
