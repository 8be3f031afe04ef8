"""Upscaling of one image file: read, enlarge, write, identify, draw. Errors are part of its result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ddrscope.batch.inputs import digest_of
from ddrscope.errors import InputError, printable
from ddrscope.identification import ImageIdentifier
from ddrscope.images import ImageFile, SourceImage, read_source_image, write_image
from ddrscope.images.remote import local_copy
from ddrscope.images.writing import check_format
from ddrscope.io.files import sha256
from ddrscope.networks import Network
from ddrscope.progress import Progress
from ddrscope.results.upscaling import IdentifiedDistortion, UpscaledImage
from ddrscope.upscaling.embedding_map import EmbeddingMap
from ddrscope.upscaling.settings import COMPARE, EXPLAIN, ResultPaths, UpscalingSettings
from ddrscope.upscaling.tiling import count_tiles, enlarge


@dataclass(frozen=True)
class Upscaler:
    """Upscales image files.

    Attributes:
        network: A network that `ddrscope.upscaling.checks.check_network` accepts.
        settings: The settings of the run.
        paths: Where results go.
        identifier: Identifies the distortion of each image, if it is given.
        known: Places each image among known degradations, if it is given.
        reduced_depth: The images of 16 bits that were written with 8, added while the run goes on.
    """

    network: Network
    settings: UpscalingSettings
    paths: ResultPaths
    identifier: ImageIdentifier | None = None
    known: EmbeddingMap | None = None
    reduced_depth: list[ImageFile] = field(default_factory=list)

    def upscale(self, file: ImageFile, progress: Progress) -> UpscaledImage:
        """Upscale one image file.

        Returns:
            What was done. An image that cannot be read or enlarged has an ``error``.

        Raises:
            OSError: The result cannot be written, as on a full disk.
        """
        image = UpscaledImage(str(file.path), digest_of(file))
        failure = "not enlarged"
        try:
            with local_copy(file.path) as path:
                source = read_source_image(path)
            pixels = self._enlarge(file, source, progress)
            target = self.paths.result(file)
            write_image(target, pixels, source.metadata, self.settings.format)
            height, width = pixels.shape[:2]
            image = replace(image, out=str(target), out_sha256=sha256(target), width=width, height=height)
            image = replace(image, bits=8 * pixels.itemsize)
            if source.bits > 8 * pixels.itemsize:
                self.reduced_depth.append(file)
            failure = "enlarged, but neither identified nor drawn"
            return replace(image, found=self._describe(file, source, pixels))
        except InputError as error:
            return replace(image, error=_with_path(file, str(error)))
        # Untrusted networks and images raise exceptions of any type, which are errors of this image only.
        except Exception as error:
            # A full disk is not an error of the image. Pillow's own errors have no number.
            if isinstance(error, OSError) and error.errno:
                raise
            is_memory = isinstance(error, MemoryError) or "memory" in str(error)
            remedy = "; give a smaller `tile`, or the image in parts" if is_memory else ""
            reason = printable(str(error))[:200] or type(error).__name__
            return replace(image, error=_with_path(file, f"{failure}: {reason}{remedy}"))

    def _enlarge(self, file: ImageFile, source: SourceImage, progress: Progress) -> NDArray[np.unsignedinteger]:
        settings, scale = self.settings, self.settings.scale
        height, width = source.color.shape[:2]
        check_format(settings.format, width * scale, height * scale, source.alpha is not None)
        progress.start(file.name, count_tiles(self.network, height, width, settings.tile))
        return enlarge(
            self.network,
            source.color,
            scale,
            alpha=source.alpha,
            bits=source.bits if settings.format == "png" else 8,
            tile=settings.tile,
            overlap=settings.overlap,
            precision=settings.precision,
            advance=progress.advance,
        )

    def _describe(
        self, file: ImageFile, source: SourceImage, pixels: NDArray[np.unsignedinteger]
    ) -> IdentifiedDistortion | None:
        """Identify the distortion of an image and write the drawings."""
        found, title = None, file.name
        if self.identifier:
            try:
                identification = self.identifier.identify(source.rgb)
                found = IdentifiedDistortion(
                    identification.type, identification.probability, identification.level.value
                )
                title += f": {identification}"
            except InputError as error:
                title += f": {error}"
        if self.settings.compare or self.known:
            # matplotlib takes a second to import.
            from ddrscope.viz.upscaling import write_comparison, write_explanation

            if self.settings.compare:
                write_comparison(self.paths.drawing(COMPARE, file), source.color, pixels, self.network.name, title)
            if self.known:
                cells = self.known.project(self.known.embed(source.rgb))
                write_explanation(self.paths.drawing(EXPLAIN, file), self.known.plane, cells, title)
        return found


def _with_path(file: ImageFile, message: str) -> str:
    return message if str(file.path) in message else f"{file.path}: {message}"
