"""The result of a study: the content of ``study.json`` and the tables that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ddrscope.io.files import atomic_write, write_json

STUDY_FILE = "study.json"
TABLES = ("claims", "layers", "checkpoints", "paths")

ClaimVerdict = Literal["holds", "does not hold", "not decided here"]


@dataclass(frozen=True)
class Case:
    """One instance of a claim.

    Args:
        name: Which networks are compared, and how.
        holds: Whether the claim holds in this case; None where it cannot be decided.
        evidence: The numbers.
    """

    name: str
    holds: bool | None
    evidence: str

    def to_json(self) -> dict[str, Any]:
        """The case as JSON values."""
        return {"case": self.name, "holds": self.holds, "evidence": self.evidence}


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on a claim in one view.

    Args:
        claim: ``C1`` to ``C6``.
        text: What the paper claims.
        rule: The rule of the verdict.
        view: ``flattened`` or ``pooled``.
        verdict: Whether the claim holds in every case or in none; otherwise ``not decided here``.
        cases: The cases it rests on.
    """

    claim: str
    text: str
    rule: str
    view: str
    verdict: ClaimVerdict
    cases: tuple[Case, ...]

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "claim": self.claim,
            "text": self.text,
            "rule": self.rule,
            "view": self.view,
            "verdict": self.verdict,
            "cases": [case.to_json() for case in self.cases],
        }


@dataclass(frozen=True)
class Snapshot:
    """Kept weights of a training, and their mean quality on the validation photographs.

    Args:
        stage: ``pixel`` or ``adversarial``.
        step: The step; None for the averaged weights at the end of the stage.
        path: The file, relative to the folder of the training.
        psnr: PSNR on Y, in dB.
        psnr_bicubic: The same of bicubic interpolation.
        lpips: LPIPS (ST-LPIPS, VGG-16), smaller is better; None but for the weights at the end.
        lpips_bicubic: The same of bicubic interpolation.
    """

    stage: str
    step: int | None
    path: str
    psnr: float
    psnr_bicubic: float
    lpips: float | None = None
    lpips_bicubic: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The snapshot as JSON values."""
        values = {key: value for key, value in vars(self).items() if not key.startswith("lpips")}
        return values if self.lpips is None else values | {"lpips": self.lpips, "lpips_bicubic": self.lpips_bicubic}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Snapshot:
        """The snapshot that `to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True)
class TrainingRecord:
    """One training of a study.

    Args:
        name: Its name, such as ``wgr-seed0``.
        recipe: The recipe, as JSON values.
        seconds: How long each stage took.
        quality: The averaged weights at the end of each stage.
    """

    name: str
    recipe: Mapping[str, Any]
    seconds: tuple[float, ...]
    quality: tuple[Snapshot, ...]

    def to_json(self) -> dict[str, Any]:
        """The training as JSON values."""
        return {
            "name": self.name,
            "recipe": dict(self.recipe),
            "seconds": list(self.seconds),
            "quality": [snapshot.to_json() for snapshot in self.quality],
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """The measures that the claims are judged by. Estimates have three columns, as in ``analysis.json``.

    Args:
        layers: A row for each network and control, layer and view: ``network``, ``control``, ``seed`` (``bundled`` or a
            number), the measures, and ``last`` (whether it is the last HR layer).
        checkpoints: A row for each kept step of each training and view: ``network``, ``seed``, ``stage``, ``step``,
            ``psnr``, ``psnr_bicubic``, and the measures of the last HR layer.
        paths: A row for each network and control, view and family: ``layer``, ``n``, ``levels``, ``centroids`` and
            ``spearman``.
        psnr: PSNR on Y of the weights at the end of each training, in dB on the validation photographs, by network.
    """

    layers: pd.DataFrame
    checkpoints: pd.DataFrame
    paths: pd.DataFrame
    psnr: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class StudyData:
    """The verdicts of a study, and what they rest on.

    Args:
        claims: The verdict on each claim in each view.
        photos: Number of photographs.
        crops: Crops of each photograph.
        trainings: The trainings.
        settings: The parameters of the study, as JSON values.
        manifest: Settings, versions, machine and time, as JSON values.
        evidence: The measures.
        embeddings: t-SNE planes of the bundled networks (``networks``) and of the classifier (``classifier``), with the
            columns of ``embedding.parquet``.
    """

    claims: tuple[ClaimResult, ...]
    photos: int
    crops: int
    trainings: tuple[TrainingRecord, ...]
    settings: Mapping[str, Any]
    manifest: Mapping[str, Any]
    evidence: Evidence
    embeddings: Mapping[str, pd.DataFrame]

    def to_json(self) -> dict[str, Any]:
        """The content of ``study.json``."""
        return {
            "claims": [claim.to_json() for claim in self.claims],
            "photos": self.photos,
            "crops": self.crops,
            "psnr": dict(self.evidence.psnr),
            "trainings": [training.to_json() for training in self.trainings],
            "settings": dict(self.settings),
            "manifest": dict(self.manifest),
        }

    def to_frame(self) -> pd.DataFrame:
        """The table ``claims.csv``: a row for each case of each claim in each view."""
        return pd.DataFrame(
            [
                {"claim": claim.claim, "view": claim.view, "verdict": claim.verdict, **case.to_json()}
                for claim in self.claims
                for case in claim.cases
            ]
        )

    def write(self, folder: Path) -> None:
        """Write the tables as CSV files and, last, ``study.json`` into a folder."""
        tables = (self.to_frame(), self.evidence.layers, self.evidence.checkpoints, self.evidence.paths)
        for name, table in zip(TABLES, tables, strict=True):
            with atomic_write(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, float_format="%.6g")
        write_json(folder / STUDY_FILE, self.to_json())
