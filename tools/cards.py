"""The heads of cards, in the format of the Hugging Face hub: what a card says, again in YAML, for machines.

Numbers are read from the card's own tables, so that head and body cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

_QUALITY = re.compile(r"^## Quality on (\d+) test photographs$", re.MULTILINE)


def network_card(name: str, body: str, datasets: Sequence[str], tags: Sequence[str], shown: str = "clean") -> str:
    """The card of a bundled network, its head before ``body``.

    ``datasets`` are the packages that its photographs come from, ``shown`` is how the test photographs were fed to it.
    """
    results = [*_quality(body, shown), *_separability(body)]
    data = ModelCardData(
        license="apache-2.0",
        library_name="ddrscope",
        pipeline_tag="image-to-image",
        tags=["super-resolution", "image-restoration", "deep-degradation-representations", *tags],
        datasets=list(datasets),
        metrics=sorted({result.metric_type for result in results}),
        model_name=name,
        eval_results=results,
    )
    return with_head(data, body)


def with_head(data: ModelCardData | DatasetCardData, body: str) -> str:
    """A card: its head between two lines of ``---``, then ``body``."""
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n{body}"


def result(dataset: str, kind: str, metric: str, name: str, value: float, task: str = "image-to-image") -> EvalResult:
    """A number that a card states, of one measure on one set of photographs."""
    return EvalResult(
        task_type=task,
        dataset_type=kind,
        dataset_name=dataset,
        metric_type=metric,
        metric_name=name,
        metric_value=value,
    )


def table(body: str, head: str) -> list[list[str]]:
    """The cells of the Markdown table whose first line begins with ``head``, line by line; empty where there is none."""
    lines = iter(body.splitlines())
    if not any(line.startswith(head) for line in lines):
        return []
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def _quality(body: str, shown: str) -> list[EvalResult]:
    found, rows = _QUALITY.search(body), table(body, "| photograph | PSNR |")
    if not found or not rows:
        return []
    measures = (("psnr", "PSNR on Y (dB)", 1, 2), ("ssim", "SSIM on Y", 3, 4), ("lpips", "ST-LPIPS, VGG-16", 5, 3))
    means = {metric: float(np.mean([float(row[column]) for row in rows])) for metric, _, column, _ in measures}
    where = f"{found[1]} test photographs of make photos, {shown}"
    return [
        result(where, "photographs", metric, f"{name}, mean", round(means[metric], digits))
        for metric, name, _, digits in measures
    ]


def _separability(body: str) -> list[EvalResult]:
    rows: list[Any] = table(body, "| view | CHI by degradation |")
    return [
        result(
            "bundled photographs, clean, blur:4 and noise:20", "ddrscope-photos", "degradation_share",
            f"degradation share, last HR layer, {row[0]}", float(row[3].split()[0]), "feature-extraction",
        )
        for row in rows
    ]  # fmt: skip
