"""Identification of image files, one shard of a table after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ddrscope.batch.shard_store import DIGEST, pack
from ddrscope.errors import InputError, escaped, printable
from ddrscope.identification.files import COMPACT, load_identifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.images import ImageFile, read_ahead
from ddrscope.images.reading import ReadResult
from ddrscope.results.identification import IdentifiedImage
from ddrscope.results.identification_files import to_table


def heatmap_path(folder: Path, file: ImageFile) -> Path:
    """Where the heatmap of an image goes; with the image's own suffix, since scan.tif and scan.jpg may lie side by side."""
    return folder / f"{file.name}.png"


@dataclass(frozen=True)
class IdentificationTask:
    """Describes a worker that identifies images, in this process or on another machine.

    Args:
        identifier: The file of the identifier. Default: a bundled one, which lies elsewhere on another machine.
        descriptor: Which bundled one.
        tiles: The largest number of tiles to look at in each image; None for all.
        heatmaps: The folder in which a heatmap of each image is drawn. Default: none are.
        device: Where the network runs.
        precision: In which it is run.
    """

    identifier: Path | None = None
    descriptor: str = COMPACT
    tiles: int | None = MAX_TILES
    heatmaps: Path | None = None
    device: str = "cpu"
    precision: str = "float32"

    def open(self) -> IdentificationWorker:
        """Load the identifier; raises `InputError` as `load_identifier`."""
        identifier = load_identifier(self.identifier, self.device, self.precision, self.descriptor)
        return IdentificationWorker(identifier, self.tiles, self.heatmaps)


@dataclass(frozen=True)
class IdentificationWorker:
    """Identifies image files; the arguments are those of `IdentificationTask`."""

    identifier: ImageIdentifier
    tiles: int | None = MAX_TILES
    heatmaps: Path | None = None

    def __call__(self, files: Sequence[ImageFile]) -> bytes:
        """The shard of these images."""
        images, digests = [], []
        for reading in read_ahead(files):
            images.append(self.identify_file(reading))
            digests.append(reading.sha256)
        table = to_table(images, self.identifier.names)
        return pack(table.append_column(DIGEST, pa.array(digests, pa.string())))

    def identify_files(self, files: Iterable[ImageFile]) -> Iterator[IdentifiedImage]:
        """Identify images one after the other."""
        return map(self.identify_file, read_ahead(files))

    def identify_file(self, reading: ReadResult) -> IdentifiedImage:
        """Identify an image that was read; one that could not be read or is too small has an error instead."""
        # Tables hold text, and a path may have bytes of no encoding.
        path = escaped(str(reading.file.path))
        if reading.image is None:
            return IdentifiedImage(path, error=reading.error.reason if reading.error else "")
        pixels = reading.image.pixels
        try:
            identification = self.identifier.identify(pixels, self.tiles)
            if self.heatmaps:
                # Imported late, since drawing takes a second to import.
                from ddrscope.viz.heatmap import write_heatmap

                target = heatmap_path(self.heatmaps, reading.file)
                write_heatmap(target, pixels, self.identifier.map_distortions(pixels), identification)
        except InputError as error:
            return IdentifiedImage(path, error=printable(str(error)))
        return IdentifiedImage(path, identification, file=reading.facts)
