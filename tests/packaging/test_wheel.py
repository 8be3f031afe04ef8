"""The wheel as it is built and installed: all of the package, nothing else, small, and at work without a network or a home."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 60 * 10**6
# Named by a .pth file, so it runs before anything else in that environment.
NO_NETWORK = """
import socket


def refuse(*_, **__):
    raise OSError("no network here")


socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


def run(words: list[object], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Without the caller's PYTHONPATH, which would bring the checkout back."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_", "XDG_", "HF_"))}
    environment = kept | {"OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of what is here, of one commit: building leaves nothing in this one, and takes nothing left from an earlier build."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "commit.txt")
    for name in ("src", "tests", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run([*git, "init", "--quiet"], folder)
    run([*git, "add", "."], folder)
    run([*git, "commit", "--quiet", "--no-gpg-sign", "--message", "all"], folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By way of the source archive, as `python -m build` does it."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source], source)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, the libraries of this one behind it (5 GB of PyTorch are not copied), and no network."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        folder.parent,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    # A folder named by a .pth file is searched, but its own .pth files, an editable ddrscope among them, are not read.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "no_network.py").write_text(NO_NETWORK)
    (packages / "no_network.pth").write_text("import no_network\n")
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path, source: Path) -> None:
    assert wheel.stat().st_size < LARGEST
    expected = {name.removeprefix("src/") for name in run(["git", "ls-files", "src"], source).stdout.splitlines()}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert names == expected | {"ddrscope/commit.txt"}
    kinds = {Path(name).suffix for name in names}
    assert {".py", ".png", ".csv", ".safetensors", ".md", ".toml", ".html", ".css", ".js"} <= kinds


def test_the_installed_wheel_tells_its_version_and_commit(installed: Path, source: Path, tmp_path: Path) -> None:
    where = run([installed / "bin" / "python", "-c", "import ddrscope; print(ddrscope.__file__)"], tmp_path).stdout
    assert Path(where.strip()).is_relative_to(installed)
    commit = run(["git", "rev-parse", "HEAD"], source).stdout.strip()
    said = run([installed / "bin" / "ddrscope", "--version"], tmp_path).stdout
    version, _, known = said.strip().removesuffix(")").partition(" (commit ")
    assert version[0].isdigit() and len(known) >= 7 and commit.startswith(known)


def test_the_installed_wheel_works_without_network_and_home(installed: Path, tmp_path: Path) -> None:
    ask = "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError as error: print(error)"
    assert run([installed / "bin" / "python", "-c", ask], tmp_path).stdout.strip() == "no network here"
    home = tmp_path / "home"
    home.mkdir()
    ddrscope = installed / "bin" / "ddrscope"
    (photos,) = installed.glob("lib/python*/site-packages/ddrscope/data/photos")
    listed = run([ddrscope, "models", "list"], tmp_path, HOME=str(home)).stdout
    bundled = sorted(path.stem for path in (photos.parent / "zoo").glob("*.safetensors"))
    assert bundled and [line.split()[0] for line in listed.splitlines()][: len(bundled)] == bundled
    found = run([ddrscope, "identify", photos / "coffee__1.png", "--tiles", "1"], tmp_path, HOME=str(home)).stdout
    assert found.startswith("coffee__1.png: ") and "probability" in found
    words = [
        "features",
        bundled[0],
        "--images",
        photos / "coffee__1.png",
        "--crop",
        "64",
        "--view",
        "pooled",
        "--out",
        "f.npy",
    ]
    run([ddrscope, *words], tmp_path, HOME=str(home))
    features = np.load(tmp_path / "f.npy")
    assert features.shape[0] == 1 and np.isfinite(features).all() and features.std() > 0


def test_the_citation_is_of_this_version() -> None:
    cited = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited == [tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]]
