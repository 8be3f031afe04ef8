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
# # My own checkpoint
#
# You trained a super-resolution network and have a file of weights. What does it know about the damage in its input, though it never saw any?
#
# Here the file is made from a bundled network, an SRResNet trained on clean photographs only, and written as a training script would write it.

# %%
import torch

from ddrscope.networks import load_network

trained = load_network("srresnet-wgr")
torch.save({"params": trained.module.state_dict()}, "mynet.pth")

# %% [markdown]
# A path is enough to load it. The architecture is recognized by the names and shapes of the weights; nothing in the file is run.
# A file of weights does not say whether the network adds its enlarged input to its output (a *global residual*), so that is measured.

# %%
mine = load_network("mynet.pth")
print(mine.architecture, "x", mine.scale)
print("global residual:", mine.global_residual, "by", mine.global_residual_source)
print("layers:", mine.layers[0], "...", mine.layers[-1])

# %% [markdown]
# ## One call
#
# Twelve crops, each clean, blurred (sigma 4 pixels) and noisy (sigma 20 of 255). Three layers: first block, middle, and the *last HR layer*, which enters
# the output convolution. For a result to quote, leave out `limit` and `tsne_seeds` and give your own images: `images="my/validation/folder"`.

# %%
from ddrscope.analysis import analyze

result = analyze(
    "mynet.pth",
    degradations=["clean", "blur:4", "noise:20"],
    layers=("body.0", "body.8", "conv_last:input"),
    limit=12,
    tsne_seeds=1,
    threads=2,
)
for verdict in result.data["verdicts"]:
    print(f"[{verdict['view']}] {verdict['sentence']}\n")

# %% [markdown]
# Read it in this order.
#
# 1. **pooled** features ask whether the damage is *in* the layer, **flattened** ones whether it is the *main* thing there. Both are right.
# 2. The intervals are over photographs. Few photographs are behind these twelve crops, so they are wide.
# 3. With random weights there is next to nothing: the network learned it.
#
# ## Where in the network

# %%
table = result.to_frame()
table = table[(table.control == "") & (table["view"] == "pooled")]
table[
    ["layer", "degradation_share", "degradation_share_low", "degradation_share_high", "content_share", "knn_accuracy"]
].round(2)

# %% [markdown]
# What follows the damage grows with depth, what follows the content shrinks. `knn_accuracy` says how often the nearest neighbours *among other
# photographs* name the damage; guessing gives 0.33.
#
# ## The figure

# %%
# %matplotlib inline
figure = result.plot()
figure.set_size_inches(9, 3.2)
figure

# %% [markdown]
# This is the *flattened* view. At the right the blurred images draw together, while clean and noisy ones still lie mixed (5-NN is at chance there); at the left the versions of one image lie together.
# What to take from the planes: who lies among whom. Distances between clusters, their sizes and the axes mean nothing, and one plane is one seed ([t-SNE planes](../reading.md#t-sne-planes)).
#
# ## Keep it
#
# `report.html` is one file, works offline, and has the images under the pointer. The same from the command line, with defaults:
# `ddrscope analyze mynet.pth --out look`.

# %%
page = result.save("look")
print(page, f"{page.stat().st_size / 1e6:.1f} MB")
