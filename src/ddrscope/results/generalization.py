"""Results of `ddrscope.generalize`: scores, ranking, and their form in ``generalization.json`` and ``generalization.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from ddrscope.metrics.estimate import NAN, Estimate
from ddrscope.results.networks import NetworkInfo
from ddrscope.results.skipped import SkippedImage


@dataclass(frozen=True)
class Histogram:
    """The density histogram of the principal component scores of a set.

    Args:
        counts: Densities (bins,), which integrate to 1.
        edges: Edges of the bins (bins + 1,), ascending.
    """

    counts: tuple[float, ...]
    edges: tuple[float, ...]

    def to_json(self) -> dict[str, list[float]]:
        """The fields as JSON values."""
        return {"counts": list(self.counts), "edges": list(self.edges)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Histogram:
        """The fields from JSON values."""
        return cls(*(tuple(map(float, value[key])) for key in ("counts", "edges")))


@dataclass(frozen=True)
class Score:
    """The score of one network on one set of patches.

    Args:
        network: Name of the network.
        set_name: Name of the set: a degradation, or a key of the parameter ``sets``.
        patches: Number of patches in the set.
        layer: The layer whose features are scored.
        scale: Factor by which the network enlarges.
        floor: SRGA between two disjoint halves of the reference. A score up to here is no difference.
        error: Why the set has no score; the fields below are empty then.
        srga: The score with its interval over photographs; 0 for the reference itself. Smaller is better.
        kl: KL(reference || set) in nats.
        sigma: Standard deviation of the fitted generalized Gaussian.
        shape: Shape of the fitted generalized Gaussian.
        photos: Number of photographs.
        distinguishable: Whether the score exceeds ``floor``.
        psnr: Mean PSNR on Y in dB; NaN where the ground truth is not known.
        histogram: Histogram of the principal component scores.
    """

    network: str
    set_name: str
    patches: int
    layer: str
    scale: int
    floor: float
    error: str | None = None
    srga: Estimate = Estimate(NAN)
    kl: float = NAN
    sigma: float = NAN
    shape: float = NAN
    photos: int | None = None
    distinguishable: bool | None = None
    psnr: float = NAN
    histogram: Histogram | None = None

    def to_row(self) -> dict[str, Any]:
        """The columns of ``generalization.csv``."""
        return {
            "network": self.network,
            "set": self.set_name,
            "patches": self.patches,
            "layer": self.layer,
            "scale": self.scale,
            "floor": self.floor,
            "error": self.error,
            **self.srga.to_columns("srga"),
            "kl": self.kl,
            "sigma": self.sigma,
            "shape": self.shape,
            "photos": self.photos,
            "distinguishable": self.distinguishable,
            "psnr": self.psnr,
        }

    def to_json(self) -> dict[str, Any]:
        """An entry of ``scores`` in ``generalization.json``."""
        return self.to_row() | {"histogram": self.histogram.to_json() if self.histogram else None}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Score:
        """The score that `to_json` wrote."""
        return cls(
            network=str(row["network"]),
            set_name=str(row["set"]),
            patches=int(row["patches"]),
            layer=str(row["layer"]),
            scale=int(row["scale"]),
            floor=_number(row["floor"]),
            error=None if row["error"] is None else str(row["error"]),
            srga=Estimate.from_columns(row, "srga"),
            kl=_number(row["kl"]),
            sigma=_number(row["sigma"]),
            shape=_number(row["shape"]),
            photos=None if row["photos"] is None else int(row["photos"]),
            distinguishable=_flag(row["distinguishable"]),
            psnr=_number(row["psnr"]),
            histogram=None if row["histogram"] is None else Histogram.from_json(row["histogram"]),
        )


@dataclass(frozen=True)
class RankedNetwork:
    """The place of a network in a ranking.

    Args:
        place: 1 for the network with the smallest mean score.
        network: Name of the network.
        srga: Mean score over the sets, with its interval over photographs.
        difference: Mean score minus that of the network one place above, paired by photograph. None for the first.
        apart: Whether the interval of ``difference`` excludes 0. None for the first.
    """

    place: int
    network: str
    srga: Estimate
    difference: Estimate | None = None
    apart: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """An entry of ``ranking`` in ``generalization.json``."""
        difference = self.difference or Estimate(NAN)
        return {
            "place": self.place,
            "network": self.network,
            **self.srga.to_columns("srga"),
            **difference.to_columns("difference"),
            "apart": self.apart,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> RankedNetwork:
        """The entry that `to_json` wrote."""
        difference = None if row["difference"] is None else Estimate.from_columns(row, "difference")
        srga = Estimate.from_columns(row, "srga")
        return cls(int(row["place"]), str(row["network"]), srga, difference, _flag(row["apart"]))


@dataclass(frozen=True)
class PsnrCorrelation:
    """Spearman's correlation between SRGA and PSNR over the ``sets`` sets that have both; NaN for fewer than 3."""

    spearman: float
    sets: int

    def to_json(self) -> dict[str, Any]:
        """An entry of ``srga_and_psnr`` in ``generalization.json``."""
        return {"spearman": self.spearman, "sets": self.sets}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> PsnrCorrelation:
        """The entry that `to_json` wrote."""
        return cls(_number(row["spearman"]), int(row["sets"]))


@dataclass(frozen=True)
class GeneralizationData:
    """The content of ``generalization.json``.

    Args:
        scores: For each network, one score for each set; the reference is first.
        psnr_correlations: The correlation of SRGA with PSNR, by network.
        reference: Name of the set that the others are compared with.
        networks: The networks in the order given.
        notes: What to consider when reading the scores.
        skipped: Images that were left out.
        manifest: Settings, versions and machine of the run.
        ranking: The networks from the smallest mean score to the largest.
    """

    scores: tuple[Score, ...]
    psnr_correlations: Mapping[str, PsnrCorrelation]
    reference: str
    networks: tuple[NetworkInfo, ...]
    notes: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    manifest: Mapping[str, Any]
    ranking: tuple[RankedNetwork, ...]

    @property
    def set_names(self) -> tuple[str, ...]:
        """The names of the sets, the reference first."""
        return tuple(dict.fromkeys(score.set_name for score in self.scores))

    @property
    def given_sets(self) -> tuple[str, ...]:
        """The names of the sets that were given as folders of degraded images."""
        return tuple(map(str, self.manifest["settings"]["sets"]))

    def score(self, network: str, set_name: str) -> Score:
        """The score of a network on a set.

        Raises:
            KeyError: There is no such score.
        """
        for score in self.scores:
            if (score.network, score.set_name) == (network, set_name):
                return score
        raise KeyError(f"no set {set_name!r} of network {network!r}")

    def to_frame(self) -> pd.DataFrame:
        """One row for each network and set, with the columns of ``generalization.csv`` (see docs/files.md)."""
        return pd.DataFrame([score.to_row() for score in self.scores])

    def to_json(self) -> dict[str, Any]:
        """The content of ``generalization.json`` (see docs/files.md)."""
        return {
            "scores": [score.to_json() for score in self.scores],
            "srga_and_psnr": {
                network: correlation.to_json() for network, correlation in self.psnr_correlations.items()
            },
            "reference": self.reference,
            "networks": [network.to_json() for network in self.networks],
            "settings": self.manifest["settings"],
            "notes": list(self.notes),
            "skipped": [image.to_json() for image in self.skipped],
            "manifest": dict(self.manifest),
            "ranking": [row.to_json() for row in self.ranking],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The result from the content of ``generalization.json``.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: The content is incomplete or of another form.
        """
        if not data["scores"] or not data["networks"]:
            raise ValueError("it has no scores")
        return cls(
            scores=tuple(map(Score.from_json, data["scores"])),
            psnr_correlations={
                str(network): PsnrCorrelation.from_json(row) for network, row in data["srga_and_psnr"].items()
            },
            reference=str(data["reference"]),
            networks=tuple(map(NetworkInfo.from_json, data["networks"])),
            notes=tuple(map(str, data["notes"])),
            skipped=tuple(map(SkippedImage.from_json, data["skipped"])),
            manifest=data["manifest"],
            ranking=tuple(map(RankedNetwork.from_json, data["ranking"])),
        )


def _number(value: Any) -> float:
    return NAN if value is None else float(value)


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)
