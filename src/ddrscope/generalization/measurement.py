"""What is measured of one network on one set, and its form on disk."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddrscope.errors import InputError
from ddrscope.generalization.feature_grams import feature_gram
from ddrscope.generalization.networks import ScoredNetwork
from ddrscope.generalization.patches import PatchSet
from ddrscope.generalization.quality import psnr_by_photo
from ddrscope.generalization.score import SetCoefficients, floor_score, set_coefficients
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.results.generalization import Histogram

HISTOGRAM_BINS = 101


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is measured of one network on one set.

    Args:
        patches: Number of patches.
        coefficients: The principal component scores, without their ``values``. None if the set cannot be scored.
        histogram: Histogram of the principal component scores.
        psnr: Mean PSNR on Y in dB; NaN where the ground truth is not known.
        floor: Score between two halves of the set; NaN for any set but the reference.
        error: Why the set cannot be scored.
    """

    patches: int
    coefficients: SetCoefficients | None = None
    histogram: Histogram | None = None
    psnr: float = float("nan")
    floor: float = float("nan")
    error: str | None = None

    def to_bytes(self) -> bytes:
        """The measurement as an ``.npz`` file."""
        arrays: dict[str, Any] = {"patches": self.patches, "psnr": self.psnr, "floor": self.floor}
        if self.error is not None:
            arrays["error"] = self.error
        if self.coefficients and self.histogram:
            arrays |= {
                "photos": np.array(self.coefficients.photos),
                "sums": self.coefficients.sums,
                "components": self.coefficients.components,
                "counts": self.histogram.counts,
                "edges": self.histogram.edges,
            }
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()

    @classmethod
    def from_file(cls, path: Path) -> Measurement:
        """Read what `to_bytes` returned."""
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        patches, psnr, floor = int(arrays["patches"]), float(arrays["psnr"]), float(arrays["floor"])
        if "error" in arrays:
            return cls(patches, error=str(arrays["error"]))
        coefficients = SetCoefficients(tuple(map(str, arrays["photos"])), arrays["sums"], int(arrays["components"]))
        histogram = Histogram(tuple(arrays["counts"].tolist()), tuple(arrays["edges"].tolist()))
        return cls(patches, coefficients, histogram, psnr, floor)


def measure(
    scored: ScoredNetwork,
    patch_set: PatchSet,
    settings: GeneralizationSettings,
    folder: Path | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Measurement:
    """Measure a network on a set.

    Args:
        scored: The network and its layer.
        patch_set: The patches of the set.
        settings: Settings of the run.
        folder: Folder for temporary files. Default: the system's.
        advance: Called with the number of patches that the network has processed since the last call.

    Raises:
        InputError: The reference cannot be scored. For any other set the measurement has an ``error`` instead.
    """
    network, photos = scored.network, patch_set.photos
    is_reference = patch_set.name == settings.reference
    psnr: dict[str, float] = {}
    try:
        gram = feature_gram(network, scored.layer, patch_set.patches, settings.precision, folder, advance)
        coefficients = set_coefficients(gram, photos, settings.components)
        if patch_set.truth is not None:
            psnr = psnr_by_photo(network, patch_set.patches, patch_set.truth, photos, settings.precision)
    except InputError as error:
        if is_reference:
            raise InputError(f"{network.name}, set {patch_set.name}: {error}") from None
        return Measurement(len(patch_set.patches), error=str(error))
    by_photo = [psnr[photo] for photo in coefficients.photos if photo in psnr]
    return Measurement(
        patches=len(patch_set.patches),
        coefficients=coefficients,
        histogram=_histogram(coefficients),
        psnr=float(np.mean(by_photo)) if by_photo else float("nan"),
        floor=floor_score(gram, photos, settings.components) if is_reference else float("nan"),
    )


def _histogram(coefficients: SetCoefficients) -> Histogram:
    assert coefficients.values is not None
    limit = float(np.abs(coefficients.values).max())
    counts, edges = np.histogram(coefficients.values, bins=HISTOGRAM_BINS, range=(-limit, limit), density=True)
    return Histogram(tuple(counts.tolist()), tuple(edges.tolist()))
