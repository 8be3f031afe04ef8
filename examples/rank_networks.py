"""Rank networks without ground truth, and say which are not distinguishable: python examples/rank_networks.py

Few and small patches keep this quick. For a reliable ranking take your own photographs, 800 patches of 128 pixels, and every kind of
degradation that you expect.
"""

from __future__ import annotations

import ddrscope

NETWORKS = ["srresnet-wgr", "srgan-wgr", "srresnet-wogr"]


def main() -> None:
    result = ddrscope.generalize(NETWORKS, degradations=["blur:2", "blur:4"], patches=60, patch=64, components=40)
    for row in result.ranking:
        remark = "  (not distinguishable from the one above)" if row.apart is False else ""
        print(f"{row.place}. {row.network:<16} {row.srga}{remark}")
    # PSNR is known here, since the images are degraded by ddrscope; for real footage only the scores are.
    print(result.to_frame()[["network", "set", "srga", "floor", "psnr"]].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
