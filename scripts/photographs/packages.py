"""Photographs in unpacked Debian packages and in installed Python packages."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from PIL import Image

from ddrscope.errors import InputError
from scripts.photographs.pixels import upright
from scripts.photographs.table import Photograph

# First bytes of an image in a Qt resource file.
IMAGE = re.compile(rb"\xff\xd8\xff[\xe0\xe1\xdb]|RIFF....WEBP", re.DOTALL)
# Pixels. Smaller images are icons; the numbers in the table count the larger ones.
SMALLEST_EMBEDDED = 400


class Packages:
    """Reads photographs of Debian packages unpacked in a folder, and of Python packages of this environment."""

    def __init__(self, unpacked: Path) -> None:
        self.unpacked = unpacked

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]:
        """The photograph as its package holds it, and the steps that remain to be applied."""
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
    """The bytes of a Qt resource file, and the offsets of its larger images."""
    resource, starts = path.read_bytes(), []
    for begin in IMAGE.finditer(resource):
        try:
            image = Image.open(io.BytesIO(resource[begin.start() :]))
            image.load()
        except OSError:
            # Not an image, only the same first bytes.
            continue
        if min(image.size) >= SMALLEST_EMBEDDED:
            starts.append(begin.start())
    return resource, starts
