"""The wheel: it contains the package and nothing else, states its version and commit, and works offline.

`python -m scripts.try_wheel` also installs it with its core dependencies into an empty environment.
"""

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

import pytest

from scripts.try_wheel import NO_NETWORK

pytestmark = pytest.mark.cli
ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 60 * 10**6
TAG = "v9.8.7"


def run(words: list[object], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the caller's PYTHONPATH, by which the checkout would be found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_", "XDG_", "HF_"))}
    environment = kept | {"OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one tagged commit with the files of this checkout: building leaves nothing in this one."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".git_archival.txt", ".gitattributes", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "_version.py")
    for name in ("src", "tests", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    run([*git, "init", "--quiet"], folder)
    run([*git, "add", "."], folder)
    run([*git, "commit", "--quiet", "--no-gpg-sign", "--message", "all"], folder)
    run([*git, "tag", "--annotate", "--message", "release", TAG], folder)
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", out, source], source)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and without a network; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", folder], folder.parent)
    python = folder / "bin" / "python"
    run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        folder.parent,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    # The folder named by a .pth file is searched, but its own .pth files, such as an editable ddrscope's, are not read.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "no_network.py").write_text(NO_NETWORK)
    (packages / "no_network.pth").write_text("import no_network\n")
    return folder


def package_files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}


def tracked_files(source: Path) -> set[str]:
    return {name.removeprefix("src/") for name in run(["git", "ls-files", "src"], source).stdout.splitlines()}


def test_the_wheel_contains_the_package_and_nothing_else(wheel: Path, source: Path) -> None:
    assert wheel.stat().st_size < MAX_BYTES
    assert package_files(wheel) == tracked_files(source) | {"ddrscope/_version.py"}
    kinds = {Path(name).suffix for name in package_files(wheel)}
    assert {".py", ".pyi", ".typed", ".png", ".csv", ".safetensors", ".md", ".toml", ".html", ".css", ".js"} <= kinds


@pytest.mark.parametrize("kind", ["sdist", "git archive"])
def test_an_archive_without_git_gives_the_same_package(kind: str, built: Path, source: Path, tmp_path: Path) -> None:
    """Code hosts offer the output of `git archive`, which writes the version into .git_archival.txt."""
    if kind == "sdist":
        (archive,) = built.glob("*.tar.gz")
        shutil.unpack_archive(archive, tmp_path)
        (tmp_path / archive.name.removesuffix(".tar.gz")).rename(tmp_path / "unpacked")
    else:
        run(["git", "archive", "--output", tmp_path / "source.tar", "HEAD"], source)
        shutil.unpack_archive(tmp_path / "source.tar", tmp_path / "unpacked")
    run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, tmp_path / "unpacked"],
        tmp_path,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert package_files(wheel) == tracked_files(source) | {"ddrscope/_version.py"}
    assert wheel.name.split("-")[1] == TAG.removeprefix("v")


def test_the_installed_wheel_states_version_and_commit(installed: Path, source: Path, tmp_path: Path) -> None:
    where = run([installed / "bin" / "python", "-c", "import ddrscope; print(ddrscope.__file__)"], tmp_path).stdout
    assert Path(where.strip()).is_relative_to(installed)
    commit = run(["git", "rev-parse", "HEAD"], source).stdout.strip()
    printed = run([installed / "bin" / "ddrscope", "--version"], tmp_path).stdout
    match = re.fullmatch(r"(\S+) \(commit ([0-9a-f]{7,})\)\n", printed)
    assert match, printed
    assert match[1] == TAG.removeprefix("v") and commit.startswith(match[2])


def test_the_installed_wheel_works_without_network_and_home(installed: Path, tmp_path: Path) -> None:
    connect = "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError as error: print(error)"
    assert run([installed / "bin" / "python", "-c", connect], tmp_path).stdout.strip() == "no network here"
    home = tmp_path / "home"
    home.mkdir()
    (photos,) = installed.glob("lib/python*/site-packages/ddrscope/data/photos")
    words = [installed / "bin" / "ddrscope", "identify", photos / "coffee__1.png", "--tiles", "1"]
    printed = run(words, tmp_path, HOME=str(home)).stdout
    assert "coffee__1.png: " in printed and "probability" in printed


def test_the_citation_is_of_the_latest_release_or_the_next_one() -> None:
    (cited,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    released = re.findall(r"^## \[?(\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    upcoming = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools_scm"]["fallback_version"]
    assert cited in (*released[:1], upcoming.partition(".dev")[0])
