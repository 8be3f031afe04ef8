from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from PIL import Image

from browser_fixtures import open_page
from ddrscope.analysis import AnalysisResult
from ddrscope.io.files import without_nan
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.analyzed_networks import AnalyzedNetwork, Control
from ddrscope.viz.analysis_page import report_html
from ddrscope.viz.curves import series_figure
from ddrscope.viz.embedding_grid import grid_figure
from ddrscope.viz.level_paths import path_figure

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_figures_name_every_group_network_and_sample_size(small_result: AnalysisResult) -> None:
    figure = grid_figure(small_result, "pooled")
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["clean", "blur:2", "blur:4"]
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["srresnet-wgr", "srresnet-wogr"]
    assert "n = 18" in figure.get_suptitle()
    assert path_figure(small_result) is not None and series_figure(small_result) is None


@pytest.mark.slow
def test_saved_and_loaded_again(small_result: AnalysisResult, tmp_path: Path) -> None:
    page = small_result.save(tmp_path)
    loaded = AnalysisResult.load(tmp_path)
    assert json.dumps(without_nan(loaded.to_json())) == json.dumps(without_nan(small_result.to_json()))
    assert loaded.networks[0].layers[0] == small_result.networks[0].layers[0]
    pd.testing.assert_frame_equal(loaded.embedding, small_result.embedding, check_dtype=False)
    for png in (tmp_path / "figures").glob("*.png"):
        with Image.open(png) as image:
            assert min(image.size) > 300
        assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert small_result._repr_html_().startswith("<iframe")


@pytest.mark.slow
def test_the_page_holds_everything_itself(small_result: AnalysisResult) -> None:
    page = _without_plotly(report_html(small_result))
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    payload = json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert payload["networks"][0]["layers"][-1]["n"] == 18
    assert len(payload["thumbnails"]) == 18


@pytest.mark.slow
def test_without_shares_the_page_says_so_and_shows_no_nan(small_result: AnalysisResult) -> None:
    unknown = Estimate(float("nan"))

    def unbalanced(entry: AnalyzedNetwork | Control) -> Any:
        layers = tuple(
            replace(
                layer,
                degradation_share=unknown,
                content_share=unknown,
                interaction_share=unknown,
                p_value=unknown.value,
            )
            for layer in entry.layers
        )
        return replace(entry, layers=layers)

    result = replace(
        small_result,
        balanced=False,
        notes=("shares and p-values are left out",),
        networks=tuple(map(unbalanced, small_result.networks)),
        controls=tuple(map(unbalanced, small_result.controls)),
    )
    page = _without_plotly(report_html(result))
    visible = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", page, flags=re.S)
    assert "left out" in visible and not re.search(r"\bnan\b", visible, re.I)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_real_browser(browser: Browser, small_result: AnalysisResult, tmp_path: Path, width: int) -> None:
    page, seen = open_page(browser, small_result, tmp_path, width)
    assert seen == {"console": [], "requests": [], "dialogs": []}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    before = page.evaluate("document.getElementById('map').data[0].x")
    page.select_option("#layer", "body.7")
    page.wait_for_function("before => document.getElementById('map').data[0].x[0] !== before[0]", arg=before)
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map .scatterlayer .point").nth(2).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("document.getElementById('thumbnail').src.startsWith('data:image/jpeg')")
    assert "astronaut" in page.inner_text("#caption") or "aitzgorri" in page.inner_text("#caption")
    page.locator("#table th").nth(3).click()
    cells = page.eval_on_selector_all(
        "#table tr.asked td:nth-child(4)", "cells => cells.map(cell => cell.dataset.value)"
    )
    column = [float(cell) for cell in cells]
    assert column == sorted(column)
    assert seen == {"console": [], "requests": [], "dialogs": []}


def _without_plotly(page: str) -> str:
    return re.sub(r"<script>.*?</script>", "", page, count=1, flags=re.S)
