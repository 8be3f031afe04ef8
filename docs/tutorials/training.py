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
# # Training
#
# A network is trained for a minute, interrupted, continued, and analyzed at several checkpoints.
#
# **This is a toy.** It has 16 channels, 4 blocks and 300 steps, and it is trained and validated on the few bundled
# crops. It shows how the functions work together, not what a trained network can do. For that, use `ddrscope train
# compact` on your own photographs (hours).

# %% [markdown]
# ## Photographs
#
# Any folders of clean photographs will do. Crops of one photograph must not be in both folders: the network would
# be validated on what it was trained on.

# %%
import shutil
from pathlib import Path

import ddrscope

validation = {"chelsea", "coffee", "rocket", "wine"}
for file in ddrscope.find_images([ddrscope.bundled_photos()]):
    folder = Path("hr", "val" if file.photo in validation else "train")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file.path, folder)
print({folder.name: len(list(folder.iterdir())) for folder in Path("hr").iterdir()})

# %% [markdown]
# ## A recipe
#
# `pilot` with some values changed. `--show` prints the recipe and trains nothing.

# %% language="bash"
# ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 ema_decay=0.98 precision=float32 --show | head -12

# %% [markdown]
# ## Start and interrupt
#
# A checkpoint is written every 250 steps. Ctrl-C is sent as soon as the first one exists.

# %%
import shlex
import signal
import subprocess
import time

command = """ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 ema_decay=0.98 precision=float32
    --images hr/train --val hr/val --keep-every 75 --out runs/toy"""
training = subprocess.Popen(shlex.split(command), stderr=subprocess.DEVNULL)
while training.poll() is None and not Path("runs/toy/pixel/checkpoint.pt").exists():
    time.sleep(0.2)
training.send_signal(signal.SIGINT)
print("exit", training.wait(), "weights:", Path("runs/toy/pixel/weights.safetensors").exists())

# %% [markdown]
# ## Continue
#
# The same command. A step depends only on the checkpoint and its own number, so the result is bit-identical to that
# of an uninterrupted training.

# %% language="bash"
# ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 ema_decay=0.98 precision=float32 \
#     --images hr/train --val hr/val --keep-every 75 --out runs/toy 2>&1

# %%
import pandas as pd

log = pd.read_csv("runs/toy/pixel/log.csv")
log.round(3)

# %% [markdown]
# After so few steps the network is below bicubic interpolation (`psnr_bicubic`). Its output (bicubic, network,
# photograph):

# %%
from PIL import Image

preview = Image.open(sorted(Path("runs/toy/pixel/previews").glob("*.png"))[-1])
print(preview.size)
preview.crop((0, 0, preview.width, min(preview.height, preview.width * 2 // 3))).quantize(128)

# %% [markdown]
# ## When does DDR emerge?
#
# Claim C6 of the paper: during training. The kept snapshots, in order:

# %%
result = ddrscope.analyze(
    checkpoints={"toy": "runs/toy/pixel/snapshots/*.safetensors"},
    degradations=["clean", "blur:4", "noise:20"],
    limit=12,
    crop=96,
    tsne_seeds=1,
)
rows = [
    {"checkpoint": checkpoint.label, **layer.degradation_share.to_columns("share"), "5-NN": layer.knn_accuracy.value}
    for checkpoint in result.series[0].checkpoints
    for layer in checkpoint.layers
    if layer.view == "pooled"
]
series = pd.DataFrame(rows)
series.round(3)

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(6, 2.6))
steps = series.index * 75
axis.fill_between(steps, series.share_low, series.share_high, alpha=0.2, linewidth=0)
axis.plot(steps, series.share, "o-")
axis.set(xlabel="step", ylabel="degradation share, pooled", title="95 % interval over photographs")
figure.tight_layout()

# %% [markdown]
# It emerges within the first 150 steps. Whether it falls afterwards cannot be decided here: few photographs give a
# wide interval, and this is one training with one seed. The [study](../results.md#the-papers-claims) does this with
# several seeds, with and without a global residual, and with criteria fixed in advance.
