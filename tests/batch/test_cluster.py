"""The same rows from many machines as from one process, on a real Ray cluster of two nodes, one of which dies on the way."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import Run, Start, call_command
from ddrscope.images import bundled_photos

NO_RAY = "`cluster` needs Ray, which CI installs: pip install 'ddrscope[cluster]'"
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(find_spec("ray") is None, reason=NO_RAY)]
COUNT = 70


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("images")
    photo = np.asarray(Image.open(bundled_photos() / "astronaut__1.png"))
    for number in range(COUNT - 1):
        top, left = 2 * number, 190 - 2 * number
        Image.fromarray(photo[top : top + 48, left : left + 48]).save(place / f"{number:03d}.png")
    (place / "broken.png").write_bytes(b"no image")
    return place


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield cluster
    cluster.shutdown()
    del os.environ["RAY_USAGE_STATS_ENABLED"]


def test_a_node_dies_and_the_rows_are_the_same(
    cluster: Any, folder: Path, tmp_path: Path, start_command: Start
) -> None:
    alone, shared = tmp_path / "alone.parquet", tmp_path / "shared.parquet"
    assert call_command("identify", folder, "--out", alone, "--threads", 1).returncode == 0
    node = cluster.add_node(num_cpus=1)
    process = start_command("identify", folder, "--out", shared, "--cluster", cluster.address, "--json")
    parts = tmp_path / "shared.parquet.parts" / "parts"
    while process.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.05)
    # One of two workers, with a piece in its hands.
    cluster.remove_node(node, allow_graceful=False)
    assert process.poll() is None
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert json.loads(printed)["rows"] == COUNT and "Traceback" not in errors
    one, other = pd.read_parquet(alone), pd.read_parquet(shared)
    pd.testing.assert_frame_equal(one, other, rtol=0, atol=1e-6)
    assert len(other) == COUNT and other["error"].notna().sum() == 1


def test_features_from_a_cluster(cluster: Any, folder: Path, tmp_path: Path, run_command: Run) -> None:
    common = ["features", "srgan-wgr", "--images", folder, "--crop", 48, "--layer", "body.3", "--view", "pooled"]
    common += ["--precision", "float32"]
    assert call_command(*common, "--out", tmp_path / "alone.npy", "--threads", 1).returncode == 0
    done = run_command(*common, "--out", tmp_path / "shared.npy", "--cluster", cluster.address)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "shared.npy"), np.load(tmp_path / "alone.npy"), rtol=0, atol=1e-6)
    assert (tmp_path / "shared.txt").read_text() == (tmp_path / "alone.txt").read_text()


def test_scores_from_a_cluster(cluster: Any, tmp_path: Path, run_command: Run) -> None:
    common = ["generalize", "srresnet-wgr", "--patch", 32, "--patches", 60, "--components", 20, "--degrade", "blur:2"]
    assert call_command(*common, "--out", tmp_path / "alone", "--threads", 1).returncode == 0
    done = run_command(*common, "--out", tmp_path / "shared", "--cluster", cluster.address)
    assert done.returncode == 0, done.stderr
    one, other = (
        json.loads((tmp_path / name / "generalization.json").read_text())["scores"] for name in ("alone", "shared")
    )
    for key in ("srga", "srga_low", "srga_high", "sigma", "psnr"):
        assert [row[key] for row in other] == pytest.approx([row[key] for row in one], abs=1e-6), key


def test_what_a_cluster_cannot_do_is_said_in_one_line(
    cluster: Any, folder: Path, tmp_path: Path, run_command: Run
) -> None:
    for address, threads, reason in (
        ("127.0.0.1:1", 1, "give local, or the address of a running head"),
        (cluster.address, 999, "no room for a worker of 999 threads"),
    ):
        words = ["--out", tmp_path / f"{threads}.csv", "--cluster", address, "--threads", threads]
        done = run_command("identify", folder, *words)
        assert done.returncode == 2 and reason in done.stderr and "Traceback" not in done.stderr
