"""Identification of distortions made with other people's software, at levels between those of the fit.

    python -m experiments.identification.external_tools TEST OUT [--photos N] [--identifier FILE] [--descriptor ddr]

Regions of 240 pixels of the photographs that trained nothing (bundled, TEST/set14, TEST/bsd100) are distorted by the
programs of `foreign_tools`: the types of KADID-10k (*suite*), others (*everyday*), and JPEG twice (*recompressed*). OUT
receives the predictions, ``external.csv``, and accuracies, ``external.json``. All classes are equally frequent.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch

from ddrscope.degradations.distortions import ALL_DISTORTIONS
from ddrscope.identification import load_identifier
from ddrscope.identification.evaluation import sample_estimate
from ddrscope.identification.files import COMPACT
from ddrscope.identification.labelled_images import DistortionSampler
from ddrscope.io.files import write_json
from ddrscope.results.vocabulary import CLEAN
from experiments.identification.controls import mean_of
from experiments.identification.foreign_tools import EVERYDAY, RECOMPRESSED, SUITE, Bytes
from experiments.identification.held_out import SIDE, test_photographs

PARTS = {"suite": SUITE, "everyday": EVERYDAY, "recompressed": RECOMPRESSED}
GROUPS = {CLEAN: CLEAN} | {distortion.name: distortion.group for distortion in ALL_DISTORTIONS}
SEED = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=int, help="use so many photographs only")
    parser.add_argument("--identifier", type=Path)
    parser.add_argument("--descriptor", default=COMPACT)
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    given = parser.parse_args()
    sampler = DistortionSampler(test_photographs(given.test)[: given.photos], SIDE, seed=SEED)
    jobs = (
        joblib.delayed(identify_photo)(sampler, photo, given.identifier, given.descriptor)
        for photo in range(len(sampler.files))
    )
    rows: list[dict[str, Any]] = []
    for number, part in enumerate(joblib.Parallel(given.jobs, return_as="generator")(jobs), start=1):
        rows += part
        print(f"{number}/{len(sampler.files)} photographs", flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(given.out / "external.csv", index=False)
    measures = accuracies(table)
    write_json(given.out / "external.json", {"measures": measures, "images": len(table)})
    for name, value in measures.items():
        print(f"{name} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] n={value['n']}")


def accuracies(table: pd.DataFrame) -> dict[str, Any]:
    """Of types and groups, by part and by group, with intervals over photographs; and the error of JPEG qualities."""
    photos = table.photo.to_numpy()
    kinds, groups = (table.predicted == table.type).to_numpy(), (table.predicted_group == table.group).to_numpy()
    measures = {}

    def add(name: str, hits: np.ndarray, chosen: pd.Series) -> None:
        share = partial(mean_of, hits.astype(float))
        measures[name] = dataclasses.asdict(sample_estimate(share, photos, chosen.to_numpy()))

    for part in PARTS:
        add(f"{part}: type", kinds, table.part == part)
        add(f"{part}: group", groups, table.part == part)
        for group in table.group[table.part == part].unique():
            add(f"{part}: group {group}", groups, (table.part == part) & (table.group == group))
    near = (table.quality - table.known_quality).abs().le(5).to_numpy()
    for part in ("suite", "recompressed"):
        chosen = (table.part == part) & table.known_quality.notna() & table.quality.notna()
        if chosen.any():
            add(f"{part}: JPEG quality within 5", near, chosen)
    return measures


def identify_photo(
    sampler: DistortionSampler, photo: int, identifier: Path | None, descriptor: str
) -> list[dict[str, Any]]:
    """The predictions for the images of one photograph."""
    torch.set_num_threads(1)
    loaded, rows = load_identifier(identifier, descriptor=descriptor), []
    loaded.identifier.clean_share = 1 / len(loaded.names)
    for part, types in PARTS.items():
        for number, (kind, tools) in enumerate(types.items()):
            if kind not in loaded.names:
                continue
            for index, (tool, distort) in enumerate(tools):
                clean = sampler.sample(photo, (list(PARTS).index(part), number, index), [])
                distorted = _distorted(clean.load, distort)
                found = loaded.identify(distorted)
                quality = found.estimates.get("jpeg_quality")
                rows.append({
                    "part": part, "photo": clean.photo, "type": kind, "group": GROUPS[kind], "tool": tool,
                    "predicted": found.type, "predicted_group": found.group, "level": found.level.value,
                    "quality": quality.value if quality else None, "known_quality": quality_of(tool),
                })  # fmt: skip
    return rows


def _distorted(load: Callable[[], np.ndarray], distort: Callable[[Bytes], Bytes]) -> np.ndarray:
    result = distort(np.rint(load() * 255).astype(np.uint8))
    return np.ascontiguousarray(result, np.float32) / np.float32(255)


def quality_of(tool: str) -> float | None:
    """The quality of the last JPEG compression in libjpeg's scale, where a tool's name says it."""
    words = tool.split()
    known = words[-2:-1] == ["cjpeg"] or words[:2] == ["cjpeg", "-quality"] or words[:2] == ["OpenCV", ".jpg"]
    return float(words[-1]) if known else None


if __name__ == "__main__":
    main()
