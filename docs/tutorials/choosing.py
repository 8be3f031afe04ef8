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
# You have several networks and images without ground truth. Which network copes better with their degradations?
#
# SRGA compares the distributions of a network's features on degraded and on clean images. A network that treats
# both alike has a low score, and low is good. No ground truth is needed. Here the images are degraded by ddrscope,
# so PSNR is known too, and we can check the score.

# %%
import ddrscope

networks = ["srresnet-wgr", "srgan-wgr", "blind-ddr", "blind-plain"]
result = ddrscope.generalize(
    networks, degradations=["blur:2", "blur:4", "noise:20"], patches=64, patch=64, components=48
)

# %% [markdown]
# The patches are few and small, to be quick; the defaults are 800 of 128 pixels. `srresnet-wgr` and `srgan-wgr`
# were trained on clean images, `blind-ddr` and `blind-plain` on degraded ones.
#
# ## The ranking

# %%
for row in result.ranking:
    note = "   not distinguishable from the one above" if row.apart is False else ""
    print(f"{row.place}. {row.network:<14}{row.srga}{note}")

# %% [markdown]
# The intervals are over photographs. Whether two networks are distinguishable is decided by the interval of their
# *difference* on the same photographs, not by the overlap of these intervals. If they are not, choose by something
# else, such as speed, or use more photographs.
#
# ## By degradation

# %%
scores = result.to_frame()
degraded = scores[scores["set"] != "clean"]
degraded.pivot(index="network", columns="set", values="srga").loc[networks].round(2)

# %%
print("floor:", scores.groupby("network")["floor"].first().round(2).to_dict())

# %% [markdown]
# The *floor* is the score between two halves of the same clean images. A score at or below it is not a difference.
#
# ## Comparison with PSNR
#
# PSNR (dB, on luma) is known because the images were degraded here:

# %%
degraded.pivot(index="network", columns="set", values="psnr").loc[networks].round(1)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
for axis, name in zip(axes, ["blur:2", "blur:4", "noise:20"], strict=True):
    for marker, network in zip("osD^", networks, strict=True):
        score = result.score(network, name)
        below, above = score.srga.value - score.srga.low, score.srga.high - score.srga.value
        axis.errorbar(score.psnr, score.srga.value, [[below], [above]], fmt=marker, label=network, capsize=3)
    axis.set(title=name, xlabel="PSNR-Y, dB (right is better)")
axes[0].set_ylabel("SRGA (low is better)")
axes[0].legend(fontsize=7)
figure.tight_layout()

# %% [markdown]
# If the score is right, points fall from left to right. They do here, between the networks trained on clean images
# and those trained on degraded ones. The two trained on degraded images are not distinguishable. Of the two trained
# on clean images `srresnet-wgr` is ahead, in agreement with PSNR at noise:20 (22.7 and 20.2 dB; on blur they are
# equal).
#
# The score is not always right. All four networks have a *global residual*. A network that removes noise must write
# the noise into its last layer, so its features differ from those of clean images *because* it works, and the
# better network can have the higher score
# ([measured](../results.md#srga-and-networks-trained-on-different-degradations)). So compare networks of one kind,
# or one network on several sets, and look at the images.
#
# ## Real footage
#
# Give folders of small images as they are. PSNR is unknown then.
#
# ```python
# ddrscope.generalize(["mynet.pth", "other.pth"], images="DIV2K_valid_HR", sets={"phone": "photos/phone"}, out="footage")
# ```
