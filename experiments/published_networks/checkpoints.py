"""List every weight file of the checkouts: does it load by itself, or by the code of its checkout, and does it reconstruct?

    python -m experiments.published_networks.checkpoints CHECKOUTS OUT.csv

Files of 4 MiB or more are left out. PSNR-Y is the mean over four bundled photographs. The code of the checkouts is run.
"""

from __future__ import annotations

import argparse
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ddrscope
from ddrscope.errors import InputError
from ddrscope.images import find_images
from ddrscope.networks import Network
from experiments.published_networks.checkouts import challenge_module, run_without_gpu
from experiments.published_networks.run import quality, read_catalog

SUFFIXES = (".pth", ".pt", ".ckpt", ".th", ".tar", ".pkl", ".bin", ".safetensors")
LARGEST = 4 << 20
IMAGES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    run_without_gpu()
    rows = []
    for repository in sorted({entry["repository"] for entry in read_catalog()}):
        folder = arguments.checkouts / repository.replace("/", "+")
        teams = teams_of(folder)
        for path in weight_files(folder):
            row = {"repository": repository, "file": path.relative_to(folder).as_posix()}
            rows.append(row | describe(path, folder, teams.get(path.name)))
            print(*rows[-1].values(), flush=True)
    table = pd.DataFrame(rows).astype({"scale": "Int64"})
    table.to_csv(arguments.out, index=False, float_format="%.2f")


def weight_files(folder: Path) -> list[Path]:
    """The weight files below a folder that are small enough."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and ".git" not in path.parts and path.is_file() and path.stat().st_size < LARGEST
    )


def teams_of(folder: Path) -> dict[str, int]:
    """The team by the name of its weight file, read from the ``test_demo.py`` of a challenge."""
    demo = folder / "test_demo.py"
    if not demo.exists():
        return {}
    teams = {}
    for block in re.split(r"model_id == ", demo.read_text())[1:]:
        number = re.match(r"-?\d+", block)
        file = re.search(r"([\w.-]+\.(?:pth|pt|pkl|ckpt|tar))['\"]", block)
        if number and file:
            teams[Path(file[1]).name] = int(number[0])
    return teams


def describe(path: Path, folder: Path, team: int | None) -> dict[str, Any]:
    """How a file loads (``itself``, ``checkout`` or ``no``), and what it is."""
    try:
        return {"loads": "itself"} | _properties(ddrscope.load_network(path))
    except InputError as error:
        reason = str(error).replace(str(path), path.name)[:160]
    if team is None:
        return {"loads": "no", "reason": reason}
    try:
        return {"loads": "checkout"} | _properties(ddrscope.as_network(challenge_module(folder, team)))
    # The code of others fails in any way.
    except Exception as error:
        return {"loads": "no", "reason": f"{type(error).__name__}: {error}"[:160].replace("\n", " ")}


def _properties(network: Network) -> dict[str, Any]:
    row = {
        "architecture": network.architecture,
        "scale": network.scale,
        "residual": network.residual_interpolation or network.global_residual,
        "last_hr_layer": network.last_hr_layer,
    }
    if network.channels != 3 or network.scale == 1:
        return row
    files = find_images([ddrscope.bundled_photos()])[:IMAGES]
    own, bicubic = np.mean([quality(network, path) for path in files], axis=0)
    return row | {"psnr": own, "psnr_bicubic": bicubic}


if __name__ == "__main__":
    main()
