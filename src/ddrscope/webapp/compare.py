"""The page "Compare networks": results of `ddrscope analyze` and `ddrscope generalize` on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from markupsafe import Markup, escape
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

# A run of many networks has more figures, in its own folder.
_MAX_FIGURES = 6
_NO_RESULTS = """<p>The server was started without results. Compute some, and start it with them:</p>
<pre>ddrscope analyze --out analysis
ddrscope generalize srresnet-wgr srgan-wgr --degrade "clean blur:2 blur:4 noise:10" --patch 64 --patches 400 --out scores
ddrscope serve --results analysis --results scores</pre>"""


@dataclass(frozen=True)
class ResultView:
    """A result as the page shows it.

    Attributes:
        sentences: The conclusions.
        table: The numbers, as texts.
        figures: The figures by their captions.
    """

    sentences: Sequence[str]
    table: pd.DataFrame
    figures: Mapping[str, Figure]


def name_results(folders: Sequence[Path]) -> dict[str, Path]:
    """Name the folders of results. Raises `InputError` for a folder without a result."""
    named: dict[str, Path] = {}
    for folder in folders:
        read_result(folder)
        name = printable(folder.resolve().name)
        named[name if name not in named else f"{name} ({len(named) + 1})"] = folder
    return named


def read_result(folder: Path) -> ResultView:
    """Read the result in a folder of either command. Raises `InputError` for any other folder."""
    if (folder / "analysis.json").is_file():
        return _view_analysis(AnalysisResult.load(folder), folder)
    if (folder / "generalization.json").is_file():
        return _view_generalization(GeneralizationResult.load(folder))
    raise InputError(
        f"`results`={folder} has no result: give a folder that ddrscope analyze or ddrscope generalize wrote"
    )


def compare_page(results: Mapping[str, Path]) -> None:
    """Lay out the page inside the open `gr.Blocks`."""
    if not results:
        gr.HTML(_NO_RESULTS, elem_classes="words")
        return
    choice = gr.Dropdown(list(results), value=None, label="Result", elem_id="compare-choice")
    summary = gr.HTML("<p>Choose a result.</p>", label="Conclusions", elem_id="compare-summary", elem_classes="words")
    figures = [
        gr.Image(
            visible=False,
            interactive=False,
            format="png",
            buttons=["download", "fullscreen"],
            elem_id=f"compare-figure-{number}",
        )
        for number in range(_MAX_FIGURES)
    ]
    table = gr.Dataframe(
        label="All numbers", interactive=False, max_height=500, elem_id="compare-table", buttons=["copy", "fullscreen"]
    )

    def show(name: str) -> list[Any]:
        try:
            view = read_result(results[name])
        except InputError as error:
            raise gr.Error(str(escape(str(error))), title="Sorry", print_exception=False) from None
        hidden_figures = len(view.figures) - _MAX_FIGURES
        more = [f"{hidden_figures} more figures are in the folder itself."] if hidden_figures > 0 else []
        items = [Markup("<li>{}</li>").format(printable(sentence)) for sentence in [*view.sentences, *more]]
        images = [
            gr.Image(render_to_array(figure), label=caption, alt_text=caption, visible=True)
            for caption, figure in list(view.figures.items())[:_MAX_FIGURES]
        ]
        hidden = [gr.Image(None, visible=False)] * (_MAX_FIGURES - len(images))
        return [str(Markup("<ul>{}</ul>").format(Markup("").join(items))), view.table, *images, *hidden]

    choice.change(
        show, choice, [summary, table, *figures], concurrency_id="heavy", concurrency_limit=1, api_visibility="private"
    )


def _view_analysis(result: AnalysisResult, folder: Path) -> ResultView:
    try:
        measures = measure_names(result.balanced, result.content == "folder")
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
        return ResultView(sentences, _texts(rows), figures)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{folder} has a corrupt analysis ({type(error).__name__}: {error}): run it again") from None


def _view_generalization(result: GeneralizationResult) -> ResultView:
    sentences = ["Smaller scores are better.", *map(_sentence, result.ranking), *result.notes]
    rows = [
        {
            "network": score.network, "set": score.set_name, "SRGA": score.srga, "floor": format_number(score.floor),
            "PSNR": format_number(score.psnr), "patches": score.patches, "photographs": score.photos, "error": score.error or "",
        }
        for score in result.scores
    ]  # fmt: skip
    return ResultView(sentences, _texts(rows), generalization_figures(result))


def _sentence(row: RankedNetwork) -> str:
    comparison = {None: "", True: ", worse than the one above", False: ", not distinguishable from the one above"}
    return f"Place {row.place}: {row.network}, {row.srga}{comparison[row.apart]}."


def _texts(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{key: printable(str(value)) for key, value in row.items()} for row in rows])
