"""Rank networks without ground truth, and see which are not distinguishable: python examples/rank_networks.py

The patches are few and small, to be quick. For real use give your own photographs, 800 patches of 128 pixels, and all
degradations that you expect.
"""

from __future__ import annotations

import ddrscope

NETWORKS = ["srresnet-wgr", "srgan-wgr", "srresnet-wogr"]


def main() -> None:
    result = ddrscope.generalize(NETWORKS, degradations=["blur:2", "blur:4"], patches=60, patch=64, components=40)
    for row in result.ranking:
        note = "  (not distinguishable from the one above)" if row.apart is False else ""
        print(f"{row.place}. {row.network:<16} {row.srga}{note}")
    # PSNR is known because the images were degraded here; for real footage it is not.
    print(result.to_frame()[["network", "set", "srga", "floor", "psnr"]].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
