"""Install the wheel with its core dependencies into an empty environment of each supported Python, and run it offline.

Usage: python -m scripts.try_wheel [--python python3.12] [WHEEL]

Without WHEEL, one is built first; without --python, all supported ones on the search path are tried. `analyze` and
`identify` must work without a network, and every command that needs an extra must name the line that installs it. Exits
with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")
# A .pth file runs it at every start of Python in that environment.
NO_NETWORK = """
import socket


def refuse(*_, **__):
    raise OSError("no network here")


socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""
WORKING = (
    "--version",
    "--help",
    "models list",
    "models layers srresnet-wgr",
    "analyze --limit 5 --crop 64 --layers body.15 --tsne-seeds 1 --out analysis",
    "identify PHOTOS/coffee__1.png --tiles 1 --out findings.parquet",
    "degrade PHOTOS/coffee__1.png --degrade blur:2 --out degraded",
    "features srresnet-wgr --images PHOTOS/coffee__1.png --crop 64 --view pooled --out features.parquet",
    "upscale degraded/coffee__1.png --no-identify --out upscaled",
)
# Each ends with the line that installs the extra.
MISSING = {
    "serve": "web",
    "train compact --show": "train",
    "study --images a --val b --test c --out study": "train",
    "features srresnet-wgr --cluster local --out other.parquet": "cluster",
    "models export srresnet-wgr exported": "hub",
    "models show hf://someone/network": "hub",
    "models show realsr-df2k": "pretrained",
}


class Environment:
    """A new virtual environment with the wheel, its core dependencies and no network."""

    def __init__(self, python: str, wheel: Path, folder: Path) -> None:
        self.folder = folder
        check([python, "-m", "venv", folder / "venv"])
        self.python = folder / "venv" / "bin" / "python"
        constraints = ("--constraint", ROOT / "constraints.txt")
        check([self.python, "-m", "pip", "install", "--quiet", *constraints, wheel])
        (packages,) = (folder / "venv").glob("lib/python*/site-packages")
        (packages / "no_network.py").write_text(NO_NETWORK)
        (packages / "no_network.pth").write_text("import no_network\n")
        self.photos = packages / "ddrscope" / "data" / "photos"

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a `ddrscope` command in a folder of its own, without the caller's environment of Python."""
        words = [
            str(self.photos) + word.removeprefix("PHOTOS") if "PHOTOS" in word else word for word in command.split()
        ]
        ddrscope = self.folder / "venv" / "bin" / "ddrscope"
        return subprocess.run(
            [ddrscope, *words], cwd=self.folder, env=environment(self.folder), capture_output=True, text=True
        )


def environment(home: Path) -> dict[str, str]:
    """The environment variables of a command: nothing of the caller's Python, and an empty home folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_", "XDG_", "HF_"))}
    return kept | {"HOME": str(home)}


def check(words: list[str | Path]) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, check=True, env=os.environ | {"PYTHONPATH": ""})


def works(python: str) -> bool:
    """Whether a Python runs: the shims of version managers exist for versions that are not active, too."""
    return (
        shutil.which(python) is not None
        and subprocess.run([python, "-c", "import venv"], capture_output=True).returncode == 0
    )


def build(python: str, folder: Path) -> Path:
    """Build the wheel of this checkout."""
    check([python, "-m", "venv", folder / "build"])
    check([folder / "build/bin/python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT])
    (wheel,) = folder.glob("*.whl")
    return wheel


def failures(python: str, wheel: Path, folder: Path) -> list[str]:
    """What does not work with this Python, one line each."""
    tried, failed = Environment(python, wheel, folder), []
    for command in WORKING:
        done = tried.run(command)
        if done.returncode:
            failed.append(f"{python}: ddrscope {command}: {done.stderr.strip()}")
    for command, extra in MISSING.items():
        done = tried.run(command)
        remedy = f"pip install 'ddrscope[{extra}]'"
        if done.returncode != 2 or remedy not in done.stderr or len(done.stderr.splitlines()) != 1:
            failed.append(f"{python}: ddrscope {command} does not name {remedy}: {done.stderr.strip()}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, nargs="?", help="the wheel; default: build it")
    parser.add_argument("--python", action="append", help="may be repeated; default: all that are found")
    options = parser.parse_args()
    pythons = options.python or [f"python{version}" for version in SUPPORTED if works(f"python{version}")]
    if not pythons:
        sys.exit(f"none of Python {', '.join(SUPPORTED)} is installed")
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel.resolve() if options.wheel else build(pythons[0], Path(folder))
        failed: list[str] = []
        for python in pythons:
            place = Path(folder) / Path(python).name
            place.mkdir()
            found = failures(python, wheel, place)
            print(*found, f"{python}: {len(found)} checks failed", sep="\n", flush=True)
            failed += found
            shutil.rmtree(place)
    print(f"{wheel.name} on {', '.join(pythons)}: {len(failed)} checks failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
