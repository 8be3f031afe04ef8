from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright
from torch import Tensor

from ddrscope.analysis import AnalysisResult, analyze
from toy_networks import SmallCnn

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests compare bits here and there: a test that sets threads leaves no trace, and all draw from one seed."""
    before = torch.get_num_threads()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def cnn() -> SmallCnn:
    return SmallCnn().eval()


@pytest.fixture
def batch() -> Tensor:
    return torch.rand(3, 3, 12, 16)


@pytest.fixture(scope="session")
def small_result() -> AnalysisResult:
    """A real analysis, small: both bundled networks, six images, three groups."""
    return analyze(
        degradations=["clean", "blur:2", "blur:4"], limit=6, crop=64, layers=("body.7", "body.15"), tsne_seeds=1
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        # A check that never runs checks nothing.
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
