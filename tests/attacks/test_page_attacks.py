"""Pages made of names, metadata and results from someone who means harm: all of it is text, and none of it runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browser_fixtures import open_page
from ddrscope.analysis import AnalysisResult
from ddrscope.errors import InputError
from ddrscope.generalization import GeneralizationResult, generalize
from ddrscope.io.files import without_nan
from ddrscope.networks import Network, SRResNet
from ddrscope.results.analyzed_networks import Checkpoint, CheckpointSeries
from ddrscope.viz.analysis_page import report_html
from ddrscope.viz.curves import series_figure
from ddrscope.viz.generalization_figures import density_figure, srga_figure
from ddrscope.viz.generalization_page import generalization_html
from ddrscope.viz.markup import script_safe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = "</script><img src=x onerror=alert(1)>"
# The same behind quotation marks, a formula that matplotlib cannot read, and a word to the terminal.
WORSE = HOSTILE + '"><a onclick=alert(1) b="\'$\\frac$\x1b[2J'


class Tags(HTMLParser):
    """The elements of a page, and every attribute that would run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self.running: list[str] = []
        self.feed(re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.S))  # the plotting library

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.running += [name for name, _ in attrs if name.startswith("on")]


def test_hostile_names_are_only_text(browser: Browser, small_result: AnalysisResult, tmp_path: Path) -> None:
    name = small_result.networks[0].name
    data = json.loads(json.dumps(without_nan(small_result.to_json())).replace(name, HOSTILE))
    embedding = small_result.embedding.replace({"network": name}, HOSTILE).assign(image=HOSTILE)
    result = AnalysisResult.from_json(data, embedding, small_result.thumbnails.assign(image=HOSTILE))
    page, seen = open_page(browser, result, tmp_path, 1280)
    assert seen == {"console": [], "requests": [], "dialogs": []}
    assert page.locator("img[src=x]").count() == 0
    assert HOSTILE in page.inner_text("header")


def everywhere(value: Any, text: str, keep: tuple[str, ...]) -> Any:
    """The same with ``text`` behind every text, but under the keys that the page looks things up by."""
    if isinstance(value, dict):
        return {key: item if key in keep else everywhere(item, text, keep) for key, item in value.items()}
    if isinstance(value, list):
        return [everywhere(item, text, keep) for item in value]
    return value + text if isinstance(value, str) else value


@pytest.mark.slow
def test_a_shared_analysis_is_only_text(small_result: AnalysisResult) -> None:
    data = everywhere(small_result.to_json(), WORSE, ("view", "answer", "content", "settings"))
    embedding = small_result.embedding.assign(network=small_result.embedding["network"].astype(object) + WORSE)
    plain = Tags(report_html(small_result))
    hostile = Tags(report_html(AnalysisResult.from_json(data, embedding, small_result.thumbnails)))
    assert hostile.seen == plain.seen and hostile.running == plain.running


@pytest.mark.filterwarnings("ignore:constrained_layout not applied:UserWarning")  # the names leave no room
def test_names_of_sets_and_checkpoints_are_no_formulas(small_result: AnalysisResult) -> None:
    layers = (small_result.layer("srresnet-wgr", "pooled"),)
    checkpoints = tuple(Checkpoint(f"{number}{WORSE}", "", layers) for number in range(2))
    shown = series_figure(replace(small_result, series=(CheckpointSeries(WORSE, checkpoints),)))
    assert shown is not None
    module = SRResNet(channels=8, blocks=1)
    network = Network("one", module, 4, 3, "SRResNet", last_hr_layer="conv_last:input", sha256="one")
    scored = generalize(network, degradations=["noise:20"], patches=24, patch=64, components=10, resamples=20)
    data = json.loads(json.dumps(without_nan(scored.to_json())).replace('"noise:20"', json.dumps(WORSE)))
    data["manifest"]["settings"]["sets"] = {WORSE: "phone"}
    hostile = GeneralizationResult.from_json(data)
    for figure in (shown, srga_figure(hostile), density_figure(hostile, "one")):
        figure.draw_without_rendering()


@pytest.mark.slow
def test_shared_scores_are_only_text() -> None:
    module = SRResNet(channels=8, blocks=1)
    network = Network("one", module, 4, 3, "SRResNet", last_hr_layer="conv_last:input", sha256="one")
    scored = generalize([network], degradations=["noise:20"], patches=24, patch=64, components=10, resamples=20)
    data = everywhere(without_nan(scored.to_json()), WORSE, ("settings", "photo_from"))
    plain, hostile = (Tags(generalization_html(result)) for result in (scored, GeneralizationResult.from_json(data)))
    assert hostile.seen == plain.seen and hostile.running == plain.running == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "place, value",
    [
        (("networks", 0, "layers", 0, "n"), WORSE),
        (("networks", 0, "layers", 0, "chi_pca"), WORSE),
        (("networks", 0, "layers", 0, "paths"), 3),
        (("networks", 0, "layers"), None),
        (("verdicts", 0, "answer"), WORSE),
        (("content",), WORSE),
        (("series",), {"a": 1}),
        (("manifest",), [1]),
    ],
)
def test_numbers_and_choices_that_are_none_are_refused(
    small_result: AnalysisResult, tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    small_result.write(tmp_path)
    data = json.loads((tmp_path / "analysis.json").read_text())
    *parents, last = place
    holder = data
    for key in parents:
        holder = holder[key]
    holder[last] = value
    (tmp_path / "analysis.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="holds no finished analysis") as caught:
        AnalysisResult.load(tmp_path)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "[" * 100_000, '{"networks": 3}', "null", "\0"])
def test_results_that_are_none(tmp_path: Path, content: str) -> None:
    for name, kind in (("analysis", AnalysisResult), ("generalization", GeneralizationResult)):
        (tmp_path / f"{name}.json").write_text(content)
        for table in ("embedding", "thumbnails"):
            (tmp_path / f"{table}.parquet").write_bytes(b"PAR1")
        with pytest.raises(InputError, match="holds no finished"):
            kind.load(tmp_path)


def test_what_a_script_element_holds_cannot_end_it() -> None:
    text = script_safe({"a": [HOSTILE, "<!--<script>", "]]>", "\u2028"]})
    assert not re.search("[<>&]", text) and json.loads(text)["a"][0] == HOSTILE
