"""From finished pieces, a network on a set each, to the result: scores with intervals, the ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.generalization.gaussian import kl_divergence
from ddrscope.generalization.ranking import rank_correlation
from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.score import SetCoefficients, interval, resampled, srga
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.io.manifest import manifest
from ddrscope.networks import Network

Piece = Mapping[str, NDArray[Any]]
RESIDUAL_NOTE = (
    "With a global residual a network writes what it removes into its last HR layer: on noise those that remove more scored worse "
    "(docs/generalization.md). Look at images before you trust such a ranking."
)
# What a set without a score lacks.
UNSCORED = dict.fromkeys(
    ("srga", "srga_low", "srga_high", "kl", "sigma", "shape", "distinguishable", "psnr", "histogram")
)


def summarize(
    settings: GeneralizationSettings,
    networks: Sequence[Network],
    layers: Mapping[str, str],
    pieces: Mapping[tuple[str, str], Piece],
    notes: Sequence[str],
    skipped: Mapping[str, str],
) -> GeneralizationResult:
    """The result of a run; ``pieces`` by the names of network and set."""
    names = list(dict.fromkeys(name for _, name in pieces))
    scores: list[dict[str, Any]] = []
    draws: dict[tuple[str, str], NDArray[np.float64]] = {}
    for network in networks:
        reference = pieces[network.name, settings.reference]
        for name in names:
            piece = pieces[network.name, name]
            row = {
                "network": network.name,
                "set": name,
                "patches": int(piece["patches"]),
                "layer": layers[network.name],
                "scale": network.scale,
                "floor": float(reference["floor"]),
                "error": str(piece["error"]) if "error" in piece else None,
            }
            if row["error"]:
                scores.append(row | {"photos": None} | UNSCORED)
                continue
            drawn = resampled(_coefficients(reference), _coefficients(piece), settings.resamples, settings.seed)
            if name != settings.reference:
                draws[network.name, name] = drawn
            scores.append(row | _scored(reference, piece, drawn))
    correlations = {}
    for network in networks:
        rows = [
            row
            for row in scores
            if row["network"] == network.name and row["set"] != settings.reference and not row["error"]
        ]
        value, count = rank_correlation([row["srga"] for row in rows], [row["psnr"] for row in rows])
        correlations[network.name] = {"spearman": value, "sets": count}
    unscored = [
        f"{row['network']}, set {row['set']}: {row['error']}; the ranking leaves the set out."
        for row in scores
        if row["error"]
    ]
    data = {
        "scores": scores,
        "srga_and_psnr": correlations,
        "reference": settings.reference,
        "networks": [one.describe() for one in networks],
        "settings": settings.to_dict(),
        "notes": [
            *notes,
            *unscored,
            *([RESIDUAL_NOTE] if len(networks) > 1 and any(one.global_residual for one in networks) else []),
        ],
        "skipped": [{"path": path, "reason": reason} for path, reason in skipped.items()],
        "manifest": manifest(settings.to_dict()),
    }
    result = GeneralizationResult(data, draws)
    return GeneralizationResult(data | {"ranking": result.rank()}, draws)


def _scored(reference: Piece, piece: Piece, drawn: NDArray[np.float64]) -> dict[str, Any]:
    known, test = _coefficients(reference), _coefficients(piece)
    fitted, (low, high) = test.fit(), interval(drawn)
    score = float(srga(known.fit(), fitted))
    return {
        "srga": score,
        "srga_low": low,
        "srga_high": high,
        "kl": float(kl_divergence(known.fit(), fitted)),
        "sigma": float(fitted.sigma),
        "shape": float(fitted.shape),
        "photos": len(test.photos),
        "distinguishable": score > float(reference["floor"]),
        "psnr": float(np.nanmean(piece["psnr"])) if np.isfinite(piece["psnr"]).any() else None,
        "histogram": {"counts": piece["counts"].tolist(), "edges": piece["edges"].tolist()},
    }


def _coefficients(piece: Piece) -> SetCoefficients:
    return SetCoefficients(tuple(map(str, piece["photos"])), piece["sums"], int(piece["components"]))
