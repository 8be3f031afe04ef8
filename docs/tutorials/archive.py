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
# # Sorting an archive
#
# A folder of images, some of them degraded. Which ones, how strongly, and where in the image?
#
# The archive is made here: twelve bundled photographs, each degraded in one of six ways, one of them "clean". The
# name of a file begins with its degradation, so that the results can be checked.

# %%
from pathlib import Path

import numpy as np
from PIL import Image

import ddrscope

Path("archive").mkdir()
degradations = ["clean", "blur:3", "noise:20", "jpeg:8", "pixelate:3", "brightness:-60"]
for number, file in enumerate(ddrscope.find_images([ddrscope.bundled_photos()])[:12]):
    degradation = degradations[number % len(degradations)]
    pixels = ddrscope.parse_degradation(degradation).apply(ddrscope.read_image(file).pixels)
    Image.fromarray(np.uint8(np.rint(pixels * 255))).save(f"archive/{degradation.replace(':', '')}--{file.name}")
Path("archive/broken.jpg").write_bytes(b"this is no image")
print(len(list(Path("archive").iterdir())), "files")

# %% [markdown]
# ## Identify
#
# One row for each image, in a Parquet file. Four tiles of each image are read, to be quick; the default is sixteen.
# With `resume=True` an interrupted run continues, with `cluster="..."` several machines share the work. On the
# command line: `ddrscope identify archive --tiles 4 --out findings.parquet --resume`.

# %%
findings = ddrscope.identify("archive", tiles=4, out="findings.parquet", resume=True).to_frame()
findings["name"] = findings.path.map(lambda path: Path(path).name)
findings[["name", "type", "probability", "blur_sigma", "noise_sigma", "jpeg_quality"]].head(8).round(2)

# %% [markdown]
# Each estimate has the ends of its 80 % interval beside it, as `blur_sigma_low` and `blur_sigma_high`. The broken file has a
# row too, with the reason:

# %%
print(findings.error.dropna().to_list())

# %% [markdown]
# The true degradation (rows) and the identified group (columns):

# %%
identified = findings[findings.error.isna()].copy()
identified["true"] = identified.name.str.split("--").str[0]
identified.groupby(["true", "group"]).size().unstack(fill_value=0)

# %% [markdown]
# All groups are right except one: darkened images are called clean, since how bright a scene was is not in the image.
# These few images prove nothing about the accuracy; it was [measured](../results.md#identification) on held-out photographs.
#
# Errors are rarer at high probabilities, so put the others aside for a person to look at:

# %%
certain = identified[(identified.probability > 0.5) & ~identified.unseen.astype(bool)]
print(f"{len(certain)} of {len(identified)} are certain")
certain[certain["group"] != "clean"].sort_values("level", ascending=False)[
    ["true", "type", "level", "probability"]
].head(6).round(2)

# %% [markdown]
# Images may have several distortions. Each type has its own probability, and they need not sum to 1:

# %%
columns = [column for column in identified if column.startswith("p_")]
identified.set_index("true")[columns].mean().sort_values(ascending=False).head(6).round(2)

# %% [markdown]
# ## Where in the image
#
# A photograph that is blurred in its left half and noisy in its right half. On the command line, `--heatmap maps`
# draws a map for each image.

# %%
pixels = ddrscope.read_image(ddrscope.bundled_photos() / "astronaut__1.png").pixels
half = pixels.shape[1] // 2
pixels[:, :half] = ddrscope.parse_degradation("blur:3").apply(pixels[:, :half])
pixels[:, half:] = ddrscope.parse_degradation("noise:20").apply(pixels[:, half:])
Path("halves").mkdir()
Image.fromarray(np.uint8(np.rint(pixels * 255))).save("halves/halves.png")

# %% language="bash"
# ddrscope identify halves --out halves.csv --heatmap maps

# %%
Image.open("maps/halves.png.png").convert("RGB").quantize(128)

# %% [markdown]
# The maps are computed from tiles of 128 pixels at intervals of 32, so borders are soft and small regions are
# missed.
