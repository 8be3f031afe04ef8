"""How does bfloat16 change the measures of an analysis?

    python -m benchmarks.bfloat16 OUT

OUT receives ``bfloat16.csv``: each measure with an interval, by network, layer and view, in float32 and in bfloat16, and its change
in half widths of the interval.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from ddrscope.analysis import analyze
from ddrscope.results.layers import ESTIMATES

NETWORKS = ("srresnet-wgr", "srgan-wgr", "srresnet-wogr")


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    compare().to_csv(out / "bfloat16.csv", index=False)


def compare() -> pd.DataFrame:
    """One row per network, layer, view and measure."""
    measures = {}
    for precision in ("float32", "bfloat16"):
        result = analyze(NETWORKS, precision=precision)
        measures[precision] = {
            (network.name, layer.layer, layer.view, key): getattr(layer, key)
            for network in result.networks
            for layer in network.layers
            for key in ESTIMATES
        }
    rows = []
    for key, estimate in measures["float32"].items():
        value, low, high, changed = estimate.value, estimate.low, estimate.high, measures["bfloat16"][key].value
        row = dict(zip(("network", "layer", "view", "measure"), key, strict=True))
        values = {"float32": value, "low": low, "high": high, "bfloat16": changed, "inside": low <= changed <= high}
        change = 2 * abs(changed - value) / (high - low) if high > low else 0.0
        rows.append(row | values | {"change / half width": change})
    return pd.DataFrame(rows).round(6)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
