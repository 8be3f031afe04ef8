"""Metadata of model and dataset cards in the YAML format of the Hugging Face hub.

Numbers are read from the tables of the card, so that metadata and text agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

_QUALITY = re.compile(r"^## Quality on (\d+) test photographs$", re.MULTILINE)


def network_card(name: str, body: str, datasets: Sequence[str], tags: Sequence[str], inputs: str = "clean") -> str:
    """The card of a bundled network: metadata, then ``body``.

    Args:
        name: name of the network.
        body: Markdown with the tables of quality and of the degradation and content shares.
        datasets: packages of the training photographs.
        tags: tags in addition to the common ones.
        inputs: state of the test photographs, in words.
    """
    results = [*_quality(body, inputs), *_separability(body)]
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
    """A card: the metadata between two lines of ``---``, then ``body``."""
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n{body}"


def result(dataset: str, kind: str, metric: str, name: str, value: float, task: str = "image-to-image") -> EvalResult:
    """One measure on one set of photographs, as the metadata state it."""
    return EvalResult(
        task_type=task,
        dataset_type=kind,
        dataset_name=dataset,
        metric_type=metric,
        metric_name=name,
        metric_value=value,
    )


def table(body: str, head: str) -> list[list[str]]:
    """The cells of the Markdown table whose first line begins with ``head``, row by row. Empty if there is no such table."""
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


def _quality(body: str, inputs: str) -> list[EvalResult]:
    heading, rows = _QUALITY.search(body), table(body, "| photograph | PSNR |")
    if not heading or not rows:
        return []
    measures = (("psnr", "PSNR on Y (dB)", 1, 2), ("ssim", "SSIM on Y", 3, 4), ("lpips", "ST-LPIPS, VGG-16", 5, 3))
    means = {metric: float(np.mean([float(row[column]) for row in rows])) for metric, _, column, _ in measures}
    dataset = f"{heading[1]} test photographs of make photos, {inputs}"
    return [
        result(dataset, "photographs", metric, f"{name}, mean", round(means[metric], digits))
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
