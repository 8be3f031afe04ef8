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
# # An own checkpoint
#
# You trained a super-resolution network and have a checkpoint. What does it know about the degradation of its
# input, although it was trained on clean images only?
#
# Here the checkpoint is made from a bundled network, in the way a training script would write it.

# %%
import torch

import ddrscope

trained = ddrscope.load_network("srresnet-wgr")
torch.save({"params": trained.module.state_dict()}, "mynet.pth")

# %% [markdown]
# A path is enough to load it. The architecture is recognized by the names and shapes of the weights; no code in the
# file is run. The checkpoint does not state whether the network adds its upscaled input to its output (a *global
# residual*), so this is detected.

# %%
mine = ddrscope.load_network("mynet.pth")
print(mine.architecture, "x", mine.scale)
print("global residual:", mine.global_residual, "by", mine.global_residual_source)
print("layers:", mine.layers[0], "...", mine.layers[-1])

# %% [markdown]
# ## One call
#
# Twelve crops, each clean, blurred (sigma 4 pixels) and noisy (sigma 20 of 255). Three layers: the first block, one
# in the middle, and the *last HR layer*, the input of the output convolution. For a result to report, leave out
# `limit` and `tsne_seeds` and give your own images: `images="my/validation/folder"`.

# %%
result = ddrscope.analyze(
    "mynet.pth",
    degradations=["clean", "blur:4", "noise:20"],
    layers=["body.0", "body.8", "conv_last:input"],
    limit=12,
    tsne_seeds=1,
    threads=2,
)
for verdict in result.verdicts:
    print(f"[{verdict.view}] {verdict.sentence}\n")

# %% [markdown]
# How to read it:
#
# 1. **Pooled** features tell whether the degradation is *in* the layer, **flattened** ones whether it is the *main*
#    variation there. Both are right.
# 2. The intervals are over photographs. These twelve crops come from few photographs, so the intervals are wide.
# 3. With random weights there is nearly no effect: the network learned it.
#
# ## By layer

# %%
table = result.to_frame()
table = table[(table.control == "") & (table["view"] == "pooled")]
table[
    ["layer", "degradation_share", "degradation_share_low", "degradation_share_high", "content_share", "knn_accuracy"]
].round(2)

# %% [markdown]
# The degradation share grows with depth, the content share shrinks. `knn_accuracy` is how often the nearest
# neighbours *among other photographs* have the right degradation; chance is 0.33.
#
# ## The figure

# %%
# %matplotlib inline
figure = result.plot()
figure.set_size_inches(9, 3.2)
figure

# %% [markdown]
# This is the *flattened* view. On the right the blurred images are close together, while clean and noisy ones are
# still mixed (5-NN is at chance there). On the left the versions of one image are close together. A plane shows
# which points lie among which others. Distances between clusters, their sizes and the axes mean nothing, and one
# plane is one seed ([t-SNE planes](../reading.md#t-sne-planes)).
#
# ## Save it
#
# `report.html` is a single file, works offline, and shows the images under the pointer. With `out="analysis"`,
# `analyze` writes it at once. On the command line: `ddrscope analyze mynet.pth --out analysis`.

# %%
page = result.save("analysis")
print(page, f"{page.stat().st_size / 1e6:.1f} MB")
