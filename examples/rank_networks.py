"""Rank networks without ground truth, and say which cannot be told apart: python examples/rank_networks.py

Few and small patches, to be quick: for an answer take photographs of your own, 800 patches of 128 pixels, and every kind of damage
that you expect.
"""

from __future__ import annotations

from ddrscope.generalization import generalize

NETWORKS = ["srresnet-wgr", "srgan-wgr", "srresnet-wogr"]


def main() -> None:
    result = generalize(NETWORKS, degradations=["blur:2", "blur:4"], patches=60, patch=64, components=40)
    for row in result.data["ranking"]:
        apart = {None: "", True: "", False: "  (cannot be told apart from the one above)"}[row["apart"]]
        print(
            f"{row['place']}. {row['network']:<16} {row['srga']:.2f} [{row['srga_low']:.2f}, {row['srga_high']:.2f}]{apart}"
        )
    # PSNR is known here because the damage is ours; on real footage only the first column is.
    print(result.to_frame()[["network", "set", "srga", "floor", "psnr"]].round(2).to_string(index=False))


if __name__ == "__main__":
    main()
