"""``--resume`` of every command: the same run is kept, deleted results are made again, another run is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from commands import Done, call_command
from ddrscope.images import bundled_photos
from ddrscope.networks import SRResNet, save_network

COMMANDS = {
    "analyze": ["analyze", "net.safetensors", "--images", "photos", "--crop", 32, "--layers", "body.1", "--tsne-seeds", 1],
    "generalize": ["generalize", "net.safetensors", "--images", "photos", "--degrade", "blur:2", "--patch", 32, "--patches", 24,
                   "--components", 5],
    "map": ["map", "clean=clean.parquet", "blurred=blurred.parquet", "--sample", 20],
    "features": ["features", "net.safetensors", "--images", "photos", "--crop", 32, "--view", "pooled"],
    "identify": ["identify", "photos", "--tiles", 1],
    "upscale": ["upscale", "photos", "--network", "net.safetensors", "--no-identify"],
}  # fmt: skip
# Where the result goes, and which file of it is deleted and made again.
OUT = {"features": "out.npy", "identify": "out.csv"}
DELETED = {"analyze": "report.html", "generalize": "generalization.csv", "map": "map.parquet", "upscale": "a.png"}


def network(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    save_network(path, SRResNet(channels=8, blocks=2, scale=2), {"global_residual": "false"})


@pytest.fixture(scope="module")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, and a finished run of each command."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "photos").mkdir()
    for name, file in zip("abcdef", sorted(bundled_photos().glob("*__1.png")), strict=False):
        Image.open(file).crop((60, 60, 156, 156)).save(folder / "photos" / f"{name}.png")
    network(folder / "net.safetensors", 0)
    random = np.random.default_rng(0)
    for name in ("clean", "blurred"):
        rows = [{"picture": f"{row}.png", "features": random.normal(size=4).astype(np.float32)} for row in range(12)]
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in COMMANDS:
            assert command(name).returncode == 0
    return folder


@pytest.fixture
def place(finished_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # At the same path, since images are known by theirs.
    backup = tmp_path / "backup"
    shutil.copytree(finished_runs, backup)
    monkeypatch.chdir(finished_runs)
    yield finished_runs
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(finished_runs)
    shutil.copytree(backup, finished_runs)


def command(name: str, *more: object) -> Done:
    return call_command(*COMMANDS[name], "--threads", 1, "--out", OUT.get(name, name), *more)


def another_image(_: Path) -> None:
    Image.new("RGB", (96, 96), (9, 90, 200)).save("photos/c.png")


CHANGES: dict[str, tuple[Callable[[Path], object], str, set[str]]] = {
    "weights": (lambda folder: network(folder / "net.safetensors", 1), "net", {"identify", "map"}),
    "changed image": (another_image, "c.png", {"map"}),
    "image gone": (lambda folder: (folder / "photos" / "c.png").unlink(), "c.png", {"map"}),
    "new image": (
        lambda folder: shutil.copy("photos/c.png", "photos/g.png"),
        "g.png",
        {"map", "features", "identify", "upscale"},
    ),
    "features": (lambda folder: shutil.copy("blurred.parquet", "clean.parquet"), "clean", set(COMMANDS) - {"map"}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", COMMANDS)
def test_other_inputs_are_refused_by_name(name: str, change: str, place: Path) -> None:
    apply, named, unconcerned = CHANGES[change]
    before = {path: path.read_bytes() for path in place.rglob(f"{OUT.get(name, name)}*/**/*") if path.is_file()}
    apply(place)
    done = command(name, "--resume")
    if name in unconcerned:
        assert done.returncode == 0
        return
    assert done.returncode == 2 and named in done.stderr and "--overwrite" in done.stderr
    assert done.stderr.count("\n") == 1 and "{" not in done.stderr and len(done.stderr) < 500
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", COMMANDS)
def test_the_same_run_is_kept_from_any_folder(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = place / OUT.get(name, name)
    before = {path: path.stat().st_mtime_ns for path in (out.rglob("*.p*") if out.is_dir() else [out])}
    shutil.copy("net.safetensors", "moved.safetensors")
    monkeypatch.chdir("photos")
    words = [str(place / word) if (place / str(word)).exists() else str(word) for word in COMMANDS[name][1:]]
    words = [word.replace("=", f"={place}/") if word.endswith(".parquet") else word for word in words]
    words = [word.replace("net.safetensors", "moved.safetensors") for word in words]
    done = call_command(name, *words, "--threads", 1, "--out", out, "--resume")
    assert done.returncode == 0 and "nothing to do" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
@pytest.mark.parametrize("name", DELETED)
def test_a_deleted_result_is_made_again(name: str, place: Path) -> None:
    deleted = place / name / DELETED[name]
    deleted.unlink()
    done = command(name, "--resume")
    assert done.returncode == 0 and "nothing to do" not in done.stderr
    assert deleted.is_file() and not (place / name / "parts").exists()


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_new_images_join_the_features_of_the_others(place: Path, suffix: str) -> None:
    def run(out: str, *more: str) -> int:
        words = [*COMMANDS["features"], "--degrade", "noise:20", "--threads", 1, "--out", out + suffix]
        return call_command(*words, *more).returncode

    Image.new("RGB", (5, 5)).save("photos/bad.png")
    (place / "photos" / "bad.png").write_bytes(b"no image")
    assert run("grown") == 0
    Image.open("photos/c.png").rotate(90).save("photos/aa.png")
    assert run("grown", "--resume") == 0 and run("whole") == 0
    if suffix == ".npy":
        np.testing.assert_allclose(np.load("grown.npy"), np.load("whole.npy"), rtol=1e-5, atol=1e-6)
        assert Path("grown.txt").read_text() == Path("whole.txt").read_text()
    else:
        one, other = pd.read_parquet("grown.parquet"), pd.read_parquet("whole.parquet")
        assert one["picture"].tolist() == other["picture"].tolist()
        np.testing.assert_allclose(np.stack(one["features"]), np.stack(other["features"]), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_new_images_join_the_rows_of_the_others(place: Path, suffix: str) -> None:
    out = f"grown{suffix}"
    words = ["identify", "photos", "--tiles", "1", "--threads", "1", "--heatmap", "photos/maps", "--out"]
    for more in ([], ["--resume"]):
        assert call_command(*words, out, *more).returncode == 0
        read = {
            ".csv": pd.read_csv,
            ".jsonl": lambda path: pd.read_json(path, lines=True),
            ".parquet": pd.read_parquet,
        }[suffix](out)
        images = sorted(place.glob("photos/*.png"))
        assert read["path"].tolist() == list(map(str, images)) and len(list(place.glob("photos/maps/*"))) == len(images)
        Image.open("photos/c.png").rotate(90).save("photos/aa.png")
    assert json.loads((place / f"{out}.manifest.json").read_text())["images"] == 7


def test_a_layer_named_or_by_default_is_the_same_layer(place: Path) -> None:
    named = command("features", "--layer", "conv_last:input", "--resume")
    assert named.returncode == 0 and "nothing to do" in named.stderr
    other = command("features", "--layer", "body.0", "--resume")
    assert other.returncode == 2 and "layer = conv_last:input, not body.0" in other.stderr
