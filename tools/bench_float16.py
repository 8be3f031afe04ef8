"""Do weights in float16 move a measure? The averaged float32 weights of finished trainings beside the file that was kept of them.

    python tools/bench_float16.py RUNS/pixel [RUNS/pixel ...]

Each folder is a stage of `ddrscope train` with ``checkpoint.pt`` (float32) and ``weights.safetensors`` (float16); not an adversarial one
that mixes in the pixel stage's weights. Prints for each measure by how much of its interval's half width it moves at most, over
all layers and views. Ends with 1 if any leaves its interval.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from pathlib import Path

from ddrscope.analysis import analyze
from ddrscope.networks import Network, load_network
from ddrscope.training.checkpoints import load_checkpoint

MEASURES = ("chi_pca", "chi_content_pca", "degradation_share", "content_share", "interaction_share", "knn_accuracy")
# In the key of an averaged module's weights.
AVERAGED = "module."


def main(folders: list[Path]) -> int:
    print("| network | weights that move | " + " | ".join(MEASURES) + " |\n|" + "---|" * (len(MEASURES) + 2))
    worst = 0.0
    for folder in folders:
        exact, kept = both(folder)
        moved = compare(exact, kept)
        worst = max(worst, *moved.values())
        before, after = exact.module.state_dict(), kept.module.state_dict()
        share = sum(int((before[key] != after[key]).sum()) for key in before) / sum(
            tensor.numel() for tensor in before.values()
        )
        print(
            f"| {folder.parent.name} | {share:.0%} | "
            + " | ".join(f"{moved[measure]:.4f}" for measure in MEASURES)
            + " |",
            flush=True,
        )
    return int(worst >= 1)


def both(folder: Path) -> tuple[Network, Network]:
    """The network of a stage with its float32 weights, and as it was kept."""
    kept = load_network(folder / "weights.safetensors")
    averaged = load_checkpoint(folder / "checkpoint.pt", {})["average"]
    module = copy.deepcopy(kept.module)
    module.load_state_dict(
        {key.removeprefix(AVERAGED): value for key, value in averaged.items() if key.startswith(AVERAGED)}
    )
    return dataclasses.replace(kept, name="float32", module=module), dataclasses.replace(kept, name="float16")


def compare(exact: Network, kept: Network) -> dict[str, float]:
    """By measure: how far ``kept`` lies from ``exact`` at most, over layers and views, in half widths of the interval on that side."""
    data = analyze([exact, kept], content="photo", tsne_seeds=1, precision="float32").data
    before, after = (entry["layers"] for entry in data["networks"])
    moved = dict.fromkeys(MEASURES, 0.0)
    for one, other in zip(before, after, strict=True):
        for measure in MEASURES:
            value, now = one[measure], other[measure]
            reach = (one[f"{measure}_high"] - value) if now > value else (value - one[f"{measure}_low"])
            if now != value:
                moved[measure] = max(moved[measure], abs(now - value) / reach if reach else float("inf"))
    return moved


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main([Path(text) for text in sys.argv[1:]]))
