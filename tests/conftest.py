from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from ddrscope.analysis import AnalysisResult, analyze


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tests compare bits here and there: a test that sets threads leaves no trace."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_result() -> AnalysisResult:
    """A real analysis, small: both bundled networks, six pictures, three groups."""
    return analyze(
        degradations=["clean", "blur:2", "blur:4"], limit=6, crop=64, layers=("body.7", "body.15"), tsne_seeds=1
    )
