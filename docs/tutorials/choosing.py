# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choosing between networks
#
# You have several networks and images without ground truth. Which one copes with their damage?
#
# SRGA compares how a network's features are distributed on damaged images with how they are on clean ones. A network that treats both alike scores low, and low is
# taken for good. No ground truth is needed. Here the damage is ours, so PSNR is known as well, and we can see how far to trust the score.

# %%
from ddrscope.generalization import generalize

networks = ["srresnet-wgr", "srgan-wgr", "blind-ddr", "blind-plain"]
result = generalize(networks, degradations=["blur:2", "blur:4", "noise:20"], patches=64, patch=64, components=48)

# %% [markdown]
# Few and small patches, to be quick; the defaults are 800 of 128 pixels. `srresnet-wgr` and `srgan-wgr` were trained on clean images, `blind-ddr` and `blind-plain` on
# damaged ones.
#
# ## Who is ahead, and is that sure?

# %%
for row in result.ranking:
    remark = "   not distinguishable from the one above" if row.apart is False else ""
    print(f"{row.place}. {row.network:<14}{row.srga}{remark}")

# %% [markdown]
# The intervals are over photographs. Whether two networks can be told apart is judged by their *difference* on the same photographs, not by whether these intervals overlap.
# Where it cannot be said, it is said: choose by something else there, speed for instance, or give more photographs.
#
# ## By kind of damage

# %%
scores = result.to_frame()
scores[scores["set"] != "clean"].pivot(index="network", columns="set", values="srga").loc[networks].round(2)

# %%
print("floor:", scores.groupby("network")["floor"].first().round(2).to_dict())

# %% [markdown]
# The *floor* is the score between two halves of the very same clean images. Nothing at or below it is a difference.
#
# ## Was it right?
#
# PSNR (dB, on brightness), which we know only because we damaged the images ourselves:

# %%
scores[scores["set"] != "clean"].pivot(index="network", columns="set", values="psnr").loc[networks].round(1)

# %%
import matplotlib.pyplot as plt

from ddrscope.viz.style import OKABE_ITO

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
for axis, name in zip(axes, ["blur:2", "blur:4", "noise:20"], strict=True):
    for number, network in enumerate(networks):
        score = result.score(network, name)
        srga = score.srga
        axis.errorbar(
            score.psnr, srga.value, [[srga.value - srga.low], [srga.high - srga.value]],
            fmt="osD^"[number], color=OKABE_ITO[number], label=network, capsize=3,
        )  # fmt: skip
    axis.set(title=name, xlabel="PSNR-Y, dB (right is better)")
axes[0].set_ylabel("SRGA (low is better)")
axes[0].legend(fontsize=7)
figure.tight_layout()

# %% [markdown]
# Where the score is right, points fall from left to right. Here it is, between the networks trained on clean images and those trained on damaged ones. The two trained on damage cannot
# be told apart; of the two trained on clean images `srresnet-wgr` is ahead, as PSNR says at noise:20 (22.7 against 20.2 dB; on blur they are level). It is not always right.
#
# All four networks have a *global residual*. One that takes noise away must write the noise into its last layer, so its features differ from those of clean images
# *because* it works; the score can then be high for the better network. This is measured in
# [comparing networks](../generalization.md#networks-that-should-generalize-differently). So: compare networks of one kind, or one network over footage, and look at images.
#
# ## On real footage
#
# Give folders of small images as they are; there is no PSNR then. From the command line:
#
# ```bash
# ddrscope generalize mynet.pth other.pth --images DIV2K_valid_HR --set phone=photos/phone --out footage
# ```
