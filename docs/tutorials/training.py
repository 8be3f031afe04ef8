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
# # Training my own
#
# A network trained for a minute, interrupted, gone on with, and looked into while it learns.
#
# **This is a toy.** 300 steps, 16 channels, 4 blocks, and it is trained and watched on the few bundled crops. It shows how the commands go together, and nothing about
# what a trained network can do: for that, `ddrscope train compact` on photographs of your own (hours) and the [study](../reproduction.md).

# %% [markdown]
# ## Photographs
#
# Any folders of clean photographs will do. Crops of one photograph must not lie on both sides: the network would be judged on what it has seen.

# %%
import shutil
from pathlib import Path

from ddrscope.images import bundled_photos, find_images

kept_apart = {"chelsea", "coffee", "rocket", "wine"}
for file in find_images([bundled_photos()]):
    folder = Path("hr", "val" if file.photo in kept_apart else "train")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file.path, folder)
print({folder.name: len(list(folder.iterdir())) for folder in Path("hr").iterdir()})

# %% [markdown]
# ## A recipe
#
# `pilot` with some values changed. `--show` prints what would be done and trains nothing.

# %% language="bash"
# ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 average=0.98 precision=float32 --show | head -12

# %% [markdown]
# ## Start, and be interrupted
#
# A checkpoint is written every 250 steps. As soon as the first is there, Ctrl-C is pressed.

# %%
import shlex
import signal
import subprocess
import time

command = """ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 average=0.98 precision=float32
    --images hr/train --val hr/val --keep-every 75 --out runs/toy"""
training = subprocess.Popen(shlex.split(command), stderr=subprocess.DEVNULL)
while training.poll() is None and not Path("runs/toy/pixel/checkpoint.pt").exists():
    time.sleep(0.2)
training.send_signal(signal.SIGINT)
print("exit", training.wait(), "weights:", Path("runs/toy/pixel/weights.safetensors").exists())

# %% [markdown]
# ## Go on
#
# The same command. A step depends on the checkpoint and the step's number only, so the result is the same to the last bit as without the interruption.

# %% language="bash"
# ddrscope train pilot channels=16 blocks=4 pixel.steps=300 adversarial.steps=0 average=0.98 precision=float32 \
#     --images hr/train --val hr/val --keep-every 75 --out runs/toy 2>&1

# %%
import pandas as pd

log = pd.read_csv("runs/toy/pixel/log.csv")
log.round(3)

# %% [markdown]
# After so few steps it lies below plain bicubic enlargement (`psnr_bicubic`). Look at what it makes (bicubic, network, photograph):

# %%
from PIL import Image

preview = Image.open(sorted(Path("runs/toy/pixel/previews").glob("*.png"))[-1])
print(preview.size)
preview.crop((0, 0, preview.width, min(preview.height, preview.width * 2 // 3))).quantize(128)

# %% [markdown]
# ## Does it know about damage yet?
#
# The paper's claim C6 says that this comes with training. The kept snapshots, one after the other:

# %%
from ddrscope.analysis import analyze

result = analyze(
    (),
    degradations=["clean", "blur:4", "noise:20"],
    series={"toy": "runs/toy/pixel/snapshots/*.safetensors"},
    limit=12,
    crop=96,
    tsne_seeds=1,
)
rows = [
    {
        "checkpoint": checkpoint["label"],
        **{
            key: layer[key]
            for key in ("degradation_share", "degradation_share_low", "degradation_share_high", "knn_accuracy")
        },
    }
    for checkpoint in result.data["series"][0]["checkpoints"]
    for layer in checkpoint["layers"]
    if layer["view"] == "pooled"
]
series = pd.DataFrame(rows)
series.round(3)

# %%
import matplotlib.pyplot as plt

from ddrscope.viz.style import OKABE_ITO

figure, axis = plt.subplots(figsize=(6, 2.6))
axis.fill_between(
    series.index * 75,
    series.degradation_share_low,
    series.degradation_share_high,
    color=OKABE_ITO[0],
    alpha=0.2,
    linewidth=0,
)
axis.plot(series.index * 75, series.degradation_share, "o-", color=OKABE_ITO[0])
axis.set(
    xlabel="step",
    ylabel="degradation share, pooled",
    title="the toy network while it learns (band: 95 % over photographs)",
)
figure.tight_layout()

# %% [markdown]
# It appears within the first 150 steps. Whether it then falls cannot be said from this: the band is wide, since few photographs are behind it, and it is one training with one seed. The [study](../reproduction.md#verdicts) does this with several seeds, with and without global residual, by rules that were fixed beforehand.
