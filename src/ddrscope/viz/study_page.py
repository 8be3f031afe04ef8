"""The study's page: verdicts first, then each claim with its figure and its cases."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddrscope.viz.fonts import Figure
from ddrscope.viz.markup import filled, png_source
from ddrscope.viz.study_figures import FIGURES
from ddrscope.viz.writing import write_page

if TYPE_CHECKING:
    from ddrscope.study.result import StudyResult

PAGE_DPI = 100
ANSWERS = {True: "holds", False: "does not hold", None: "not decided here"}


def write_study(result: StudyResult, folder: Path) -> Path:
    """Write ``figures/C1.png`` and so on (and PDF) and ``report.html`` into ``folder``; return the page's path."""
    figures = {key: draw(result) for key, draw in FIGURES.items()}
    return write_page(folder, figures, _page(result, figures))


def study_html(result: StudyResult) -> str:
    """The page as text."""
    return _page(result, {key: draw(result) for key, draw in FIGURES.items()})


def _page(result: StudyResult, figures: dict[str, Figure]) -> str:
    data = result.data
    by_claim: dict[str, list[dict[str, Any]]] = {}
    for claim in data["claims"]:
        by_claim.setdefault(claim["claim"], []).append(claim)
    sample = (
        f"{data['photos']} photographs that no network was trained on, {data['crops']} crops of each; "
        f"{data['settings']['seeds']} seed(s) of each training, beside the bundled networks."
    )
    return filled(
        "study",
        data["manifest"],
        sample=html.escape(sample),
        summary="".join(_summary(key, views) for key, views in by_claim.items()),
        claims="\n".join(_claim(key, views, figures[key]) for key, views in by_claim.items()),
        trainings="".join(_training(training) for training in data["trainings"]),
    )


def _summary(key: str, views: list[dict[str, Any]]) -> str:
    cells = "".join(f"<td>{_badge(view['verdict'])}</td>" for view in views)
    return f'<tr><td><a href="#{key}">{key}</a> {html.escape(views[0]["text"])}</td>{cells}</tr>'


def _badge(verdict: str) -> str:
    return f'<span class="verdict-{html.escape(verdict.replace(" ", "-"))}">{html.escape(verdict)}</span>'


def _claim(key: str, views: list[dict[str, Any]], figure: Figure) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(view['view'])}</td><td>{html.escape(case['case'])}</td><td>{_badge(ANSWERS[case['holds']])}</td>"
        f"<td>{html.escape(case['evidence'])}</td></tr>"
        for view in views
        for case in view["cases"]
    )
    verdicts = "; ".join(f"{html.escape(view['view'])}: {_badge(view['verdict'])}" for view in views)
    return (
        f'<section id="{key}"><h2>{key}: {html.escape(views[0]["text"])}</h2><p>{verdicts}</p>'
        f'<p class="hint">Rule: {html.escape(views[0]["rule"])}</p>'
        f'<img class="wide" alt="Figure of claim {key}" src="{png_source(figure, PAGE_DPI)}">'
        f"<details><summary>{len(views[0]['cases'])} cases in each view</summary>"
        f'<div class="scroll"><table class="words"><thead><tr><th>view</th>'
        f"<th>case</th><th>answer</th><th>evidence</th></tr></thead><tbody>{rows}</tbody></table></div></details></section>"
    )


def _training(training: dict[str, Any]) -> str:
    rows = []
    for seconds, row in zip(training["seconds"], training["quality"], strict=True):
        numbers = (
            f"{row['psnr']:.2f}",
            f"{row['psnr_bicubic']:.2f}",
            f"{row['lpips']:.3f}",
            f"{row['lpips_bicubic']:.3f}",
        )
        cells = "".join(
            f"<td>{html.escape(cell)}</td>"
            for cell in (training["name"], row["stage"], f"{seconds / 60:.0f}", *numbers)
        )
        rows.append(f"<tr>{cells}</tr>")
    return "".join(rows)
