"""Does storing weights in float16 change a measure? Compare the float32 weights of trainings with the files saved from them.

    python -m experiments.float16_weights.run RUNS/pixel [RUNS/pixel ...]

Each folder is a stage of `ddrscope train` with ``checkpoint.pt`` (float32) and ``weights.safetensors`` (float16), but not an adversarial
stage that mixes in the weights of the pixel stage. Prints the largest change of each measure over layers and views, as a fraction of
the half width of its interval. The exit status is 1 if a measure leaves its interval.
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
# Prefix of the keys of averaged weights.
AVERAGED = "module."


def main(folders: list[Path]) -> int:
    print("| network | changed weights | " + " | ".join(MEASURES) + " |\n|" + "---|" * (len(MEASURES) + 2))
    worst = 0.0
    for folder in folders:
        exact, rounded = load_both(folder)
        changes = compare(exact, rounded)
        worst = max(worst, *changes.values())
        before, after = exact.module.state_dict(), rounded.module.state_dict()
        changed = sum(int((before[key] != after[key]).sum()) for key in before)
        share = changed / sum(tensor.numel() for tensor in before.values())
        cells = " | ".join(f"{changes[measure]:.4f}" for measure in MEASURES)
        print(f"| {folder.parent.name} | {share:.0%} | {cells} |", flush=True)
    return int(worst >= 1)


def load_both(folder: Path) -> tuple[Network, Network]:
    """The network of a stage with float32 weights, and as saved in float16."""
    rounded = load_network(folder / "weights.safetensors")
    averaged = load_checkpoint(folder / "checkpoint.pt", {})["average"]
    module = copy.deepcopy(rounded.module)
    module.load_state_dict(
        {key.removeprefix(AVERAGED): value for key, value in averaged.items() if key.startswith(AVERAGED)}
    )
    return dataclasses.replace(rounded, name="float32", module=module), dataclasses.replace(rounded, name="float16")


def compare(exact: Network, rounded: Network) -> dict[str, float]:
    """The largest change of each measure over layers and views, in half widths of the interval on the side of the change."""
    result = analyze([exact, rounded], content="photo", tsne_seeds=1, precision="float32")
    before, after = (entry.layers for entry in result.networks)
    largest = dict.fromkeys(MEASURES, 0.0)
    for exact_layer, rounded_layer in zip(before, after, strict=True):
        for measure in MEASURES:
            estimate, changed = getattr(exact_layer, measure), getattr(rounded_layer, measure).value
            value = estimate.value
            reach = estimate.high - value if changed > value else value - estimate.low
            if changed != value:
                largest[measure] = max(largest[measure], abs(changed - value) / reach if reach else float("inf"))
    return largest


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main([Path(text) for text in sys.argv[1:]]))
