"""The page "Compare networks": results of `ddrscope analyze` and `ddrscope generalize` that the server was given."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from matplotlib.figure import Figure

from ddrscope.analysis import AnalysisResult
from ddrscope.errors import InputError, printable
from ddrscope.generalization import GeneralizationResult
from ddrscope.metrics.estimate import format_number
from ddrscope.results.generalization import RankedNetwork
from ddrscope.viz.analysis_page import CAPTIONS, analysis_figures
from ddrscope.viz.generalization_figures import generalization_figures
from ddrscope.viz.style import measure_names
from ddrscope.webapp.images import render_to_array

# Figures shown at most; a run of many networks has more, in its own folder.
FIGURES = 6
HOW = """<p>The server was given no results. Make some, and start it with them:</p>
<pre>ddrscope analyze --out look
ddrscope generalize srresnet-wgr srgan-wgr --degrade "clean blur:2 blur:4 noise:10" --patch 64 --patches 400 --out scores
ddrscope serve --results look scores</pre>"""


@dataclass(frozen=True)
class Shown:
    """A result as the page shows it: sentences, a table, figures with their captions."""

    sentences: Sequence[str]
    table: pd.DataFrame
    figures: Mapping[str, Figure]


def name_results(folders: Sequence[Path]) -> dict[str, Path]:
    """The folders by the names they go by; raises `InputError` for one that holds no result."""
    named: dict[str, Path] = {}
    for folder in folders:
        show_result(folder)
        name = printable(folder.resolve().name)
        named[name if name not in named else f"{name} ({len(named) + 1})"] = folder
    return named


def show_result(folder: Path) -> Shown:
    """What is found in a folder of either command; raises `InputError` for any other."""
    if (folder / "analysis.json").is_file():
        return _show_analysis(AnalysisResult.load(folder), folder)
    if (folder / "generalization.json").is_file():
        return _show_generalization(GeneralizationResult.load(folder))
    raise InputError(
        f"--results {folder} holds no result: give a folder that ddrscope analyze or ddrscope generalize wrote"
    )


def compare_page(results: Mapping[str, Path]) -> None:
    """Lay out the page inside the `gr.Blocks` that is open."""
    if not results:
        gr.HTML(HOW, elem_classes="words")
        return
    choice = gr.Dropdown(list(results), value=None, label="Result", elem_id="compare-choice")
    said = gr.HTML("<p>Choose a result.</p>", label="What it says", elem_id="compare-said", elem_classes="words")
    figures = [
        gr.Image(
            visible=False,
            interactive=False,
            format="png",
            buttons=["download", "fullscreen"],
            elem_id=f"compare-figure-{number}",
        )
        for number in range(FIGURES)
    ]
    table = gr.Dataframe(
        label="Every number", interactive=False, max_height=500, elem_id="compare-table", buttons=["copy", "fullscreen"]
    )

    def show(name: str) -> list[Any]:
        try:
            found = show_result(results[name])
        except InputError as error:
            raise gr.Error(html.escape(str(error)), title="Sorry", print_exception=False) from None
        left_out = len(found.figures) - FIGURES
        more = [f"{left_out} more figures are in the folder itself."] if left_out > 0 else []
        sentences = "".join(f"<li>{html.escape(printable(one))}</li>" for one in [*found.sentences, *more])
        images = [
            gr.Image(render_to_array(figure), label=caption, alt_text=caption, visible=True)
            for caption, figure in list(found.figures.items())[:FIGURES]
        ]
        hidden = [gr.Image(None, visible=False)] * (FIGURES - len(images))
        return [f"<ul>{sentences}</ul>", found.table, *images, *hidden]

    choice.change(
        show, choice, [said, table, *figures], concurrency_id="heavy", concurrency_limit=1, api_visibility="private"
    )


def _show_analysis(result: AnalysisResult, folder: Path) -> Shown:
    try:
        measures = measure_names(result.balanced)
        entries = [
            *((entry.name, "", entry.layers) for entry in result.networks),
            *((control.name, control.kind, control.layers) for control in result.controls),
        ]
        rows = [
            {"network": name, "control": kind, "layer": layer.layer, "view": layer.view}
            | {title: getattr(layer, key) for key, title in measures.items()}
            | {"n": layer.n, "k": layer.k}
            for name, kind, layers in entries
            for layer in layers
        ]
        sentences = [verdict.sentence for verdict in result.verdicts]
        sentences += [comparison.sentence for comparison in result.comparisons]
        figures = {CAPTIONS[name]: figure for name, figure in analysis_figures(result).items()}
        return Shown(sentences, _texts(rows), figures)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{folder} holds a damaged analysis ({type(error).__name__}: {error}): make it again"
        ) from None


def _show_generalization(result: GeneralizationResult) -> Shown:
    sentences = ["Smaller scores are better.", *map(_sentence, result.ranking), *result.notes]
    rows = [
        {
            "network": score.network, "set": score.set_name, "SRGA": score.srga, "floor": format_number(score.floor),
            "PSNR": format_number(score.psnr), "patches": score.patches, "photographs": score.photos, "error": score.error or "",
        }
        for score in result.scores
    ]  # fmt: skip
    return Shown(sentences, _texts(rows), generalization_figures(result))


def _sentence(row: RankedNetwork) -> str:
    comparison = {None: "", True: ", worse than the one above", False: ", not distinguishable from the one above"}
    return f"Place {row.place}: {row.network}, {row.srga}{comparison[row.apart]}."


def _texts(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{key: printable(str(value)) for key, value in row.items()} for row in rows])
