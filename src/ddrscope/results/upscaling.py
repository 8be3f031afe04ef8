"""Results of upscaling: what was done with each image, and the plane of known degradations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class IdentifiedDistortion:
    """What the bundled identifier found in an image.

    Attributes:
        type: Type of distortion, or ``clean``.
        probability: Probability that it is present, 0..1.
        level: Level, 1..5; 0 for a clean image.
    """

    type: str
    probability: float
    level: float

    def __str__(self) -> str:
        level = f", level {self.level:.1f} of 5" if self.level else ""
        return f"{self.type} (probability {self.probability:.2f}){level}"


@dataclass(frozen=True)
class UpscaledImage:
    """What was done with one image.

    Attributes:
        path: Path or URI of the image.
        sha256: SHA-256 of its file; None for an object in a store or a missing file.
        out: The file that was written; None if there is none.
        out_sha256: SHA-256 of that file.
        width: Width of the result in pixels.
        height: Height of the result in pixels.
        bits: Bits of a channel of the result, 8 or 16.
        error: Why the image was not upscaled, or what failed afterwards, in one line; None if all went well.
        found: What was identified in the image; None if that was not requested or failed.
    """

    path: str
    sha256: str | None = None
    out: str | None = None
    out_sha256: str | None = None
    width: int | None = None
    height: int | None = None
    bits: int | None = None
    error: str | None = None
    found: IdentifiedDistortion | None = None

    def to_json(self) -> dict[str, Any]:
        """The row in ``upscale.json``; the key ``found`` is only there if something was identified."""
        row = asdict(self)
        if self.found is None:
            del row["found"]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> UpscaledImage:
        """The image of a row that `to_json` made. Raises KeyError or TypeError for any other value."""
        found = row.get("found")
        values = {field.name: row.get(field.name) for field in fields(cls) if field.name not in ("path", "found")}
        return cls(path=str(row["path"]), **values, found=IdentifiedDistortion(**found) if found else None)


@dataclass(frozen=True)
class UpscalingData:
    """What a run of `ddrscope.upscale` did: the content of ``upscale.json``.

    Attributes:
        out: The output directory.
        network: Name of the network.
        scale: Factor by which images were enlarged.
        images: One entry for each image, in the order of their names.
    """

    out: str
    network: str
    scale: int
    images: tuple[UpscaledImage, ...]

    @property
    def written(self) -> int:
        """The number of images that were upscaled."""
        return sum(image.out is not None for image in self.images)

    def to_json(self) -> dict[str, Any]:
        """The content of ``upscale.json``."""
        return {
            "out": self.out,
            "network": self.network,
            "scale": self.scale,
            "images": [image.to_json() for image in self.images],
        }

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each image: `UpscaledImage` as columns, and ``type``, ``probability``, ``level``."""
        import pandas as pd

        identified = [field.name for field in fields(IdentifiedDistortion)]
        rows = []
        for image in self.images:
            row = image.to_json()
            rows.append(row | (row.pop("found", None) or dict.fromkeys(identified)))
        columns = [field.name for field in fields(UpscaledImage) if field.name != "found"]
        return pd.DataFrame(rows, columns=[*columns, *identified])


@dataclass(frozen=True, eq=False)
class EmbeddingPlane:
    """Photographs under known degradations in the plane of the first two principal components of their embeddings.

    Attributes:
        points: Positions (N, 2).
        degradations: Text of the degradation of each point.
        photos: The photograph of each point.
        explained_variance: Share of the variance that each of the two components explains, 0..1.
    """

    points: NDArray[np.float64]
    degradations: tuple[str, ...]
    photos: tuple[str, ...]
    explained_variance: tuple[float, float]
