from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddrscope.analysis import AnalysisResult, analyze
from ddrscope.networks import SRResNet, save_network
from toy_networks import SmallCnn

pytest_plugins = ["browser_fixtures", "commands", "tiers"]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Seeds PyTorch, and restores the number of threads, which results may depend on."""
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
def tiny_network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint for tests in which weights do not matter: SRResNet x4 of 8 channels and 2 blocks, `tiny`."""
    path = tmp_path_factory.mktemp("networks") / "tiny.safetensors"
    torch.manual_seed(0)
    save_network(path, SRResNet(channels=8, blocks=2), {"global_residual": "true"})
    return path


@pytest.fixture(scope="session")
def small_result() -> AnalysisResult:
    """A small analysis of both default networks: six images, three groups."""
    return analyze(
        degradations=["clean", "blur:2", "blur:4"], limit=6, crop=64, layers=("body.7", "body.15"), tsne_seeds=1
    )
