"""The study from trainings to verdicts; interrupted at any moment, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddrscope.io.files import sha256
from ddrscope.io.manifest import manifest
from ddrscope.networks.zoo import bundled_path
from ddrscope.progress import NullProgress, Progress
from ddrscope.study.claims import CLAIMS, judge_claims
from ddrscope.study.crops import write_crops
from ddrscope.study.evidence import final_psnr, gather
from ddrscope.study.result import StudyResult
from ddrscope.study.settings import BUNDLED, StudySettings, jobs
from ddrscope.study.trainings import keep_matched, run_trainings
from ddrscope.training import parse_changes


class Study:
    """One study in the folder ``out``: ``trainings/``, ``images/`` and ``analyses/`` keep what is done, and are not part of the result.

    ``threads`` trainings run beside each other. The same settings go on with an interrupted study.
    """

    def __init__(self, settings: StudySettings, out: Path, threads: int = 1, progress: Progress | None = None) -> None:
        self.settings, self.out, self.threads = settings, out, threads
        self.progress = progress or NullProgress()
        self.jobs = jobs(settings, parse_changes(settings.changes), out / "trainings")

    @property
    def identity(self) -> dict[str, Any]:
        """What decides whether a folder is this study's: the settings, and the bundled networks as they are."""
        return self.settings.to_dict() | {"bundled": {name: sha256(bundled_path(name)) for name in BUNDLED}}

    def run(self) -> StudyResult:
        """Train what is missing, analyse what is missing, judge the claims."""
        images = self.out / "images"
        asked = self.settings
        photos = write_crops(asked.test, images, asked.crops, asked.crop, asked.photos, asked.photo_from)
        run_trainings(self.jobs, self.settings, self.threads, self.progress)
        keep_matched(self.jobs)
        evidence, analyses = gather(
            self.settings, self.jobs, images, self.out / "analyses", self.threads, self.progress
        )
        psnr = final_psnr(self.jobs)
        claims = judge_claims(evidence, psnr)
        data = {
            "claims": [
                {
                    "claim": claim.key,
                    "text": CLAIMS[claim.key].text,
                    "rule": CLAIMS[claim.key].rule,
                    "view": claim.view,
                    "verdict": claim.verdict,
                    "cases": [
                        {"case": case.name, "holds": case.holds, "evidence": case.evidence} for case in claim.cases
                    ],
                }
                for claim in claims
            ],
            "photos": photos,
            "crops": self.settings.crops,
            "psnr": psnr,
            "trainings": [self._training(job.name, job.folder) for job in self.jobs],
            "settings": self.settings.to_dict(),
            "manifest": manifest(self.identity),
        }
        embeddings = {name: analyses[name].embedding for name in ("networks", "classifier")}
        return StudyResult(data, evidence, embeddings)

    def _training(self, name: str, folder: Path) -> Mapping[str, Any]:
        kept = json.loads((folder / "snapshots.json").read_text(encoding="utf-8"))
        final = [row for row in kept["snapshots"] if row["step"] is None]
        return {"name": name, "recipe": kept["recipe"], "seconds": kept["seconds"], "quality": final}
