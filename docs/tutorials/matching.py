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
# # From ugly images to a training run
#
# A folder of small, soft, noisy images. Which degradation must a network be trained with so that it works on them?
#
# The images are made here from half of the bundled photographs, so that the answer is known: blur of sigma 3 to 4
# pixels, shrinking by 4, noise of sigma 6 to 10 and JPEG of quality 60 to 75.

# %%
from pathlib import Path

import numpy as np
from PIL import Image

import ddrscope

Path("ugly").mkdir()
files = ddrscope.find_images([ddrscope.bundled_photos()])
photos = sorted({file.photo for file in files})
mine = [file for file in files if photos.index(file.photo) % 2 == 0]
rng = np.random.default_rng(0)
for file in mine:
    for turn in range(3):
        blur, noise, quality = rng.uniform(3, 4), rng.uniform(6, 10), rng.integers(60, 76)
        chain = ddrscope.parse_chain(f"blur:{blur}+resize:0.25,bicubic+noise:{noise}+jpeg:{quality}")
        hr = np.rot90(ddrscope.read_image(file).pixels, turn)
        Image.fromarray(np.uint8(np.rint(255 * chain.apply(hr, rng)))).save(f"ugly/{file.path.stem}-{turn}.png")
print(len(list(Path("ugly").iterdir())), "images of", Image.open(next(Path("ugly").iterdir())).size, "pixels")

# %% [markdown]
# ## Match
#
# The other photographs are the clean ones: `match` never sees the originals of the ugly images. With your own images give
# as many clean photographs as you can (`hr="DIV2K_train_HR"`), of the same kind of content. On the command line:
# `ddrscope match ugly --hr clean --out matched`.

# %%
clean = [str(file.path) for file in files if photos.index(file.photo) % 2]
result = ddrscope.match("ugly", "matched", hr=clean, chains=300)
print(result.verdict())

# %% [markdown]
# The recipe, step by step. Sigmas of blur are in pixels of the HR image; ranges hold 90 % of what is drawn:

# %%
for step in result.recipe.steps():
    if step.probability > 0.1:
        for family, use in step.kinds.items():
            level = use.numbers.get("level")
            if level and use.share > 0.1:
                print(f"{step.place:6} {family:12} {step.probability * use.share:4.0%}  {level.low:6.2f} to {level.high:6.2f}")

# %% [markdown]
# Other programs' defaults beside it: how often a classifier recognizes made images (50 % is perfect).

# %%
for name, each in result.resemblance.items():
    print(f"{name:12} {each.accuracy.value:4.0%}")

# %% [markdown]
# Look at the sheet before you train. Left the ugly images, right made ones:

# %%
Image.open("matched/sheet.png").convert("RGB").quantize(128)

# %% [markdown]
# What the images do not show, so that another recipe would be as good:

# %%
print([each.what for each in result.alternatives if each.unknown])

# %% [markdown]
# ## Train
#
# The recipe is ready for several training programs, as files in `matched/configs`. What a program cannot express stands at
# the head of its file:

# %%
print(sorted(path.name for path in Path("matched/configs").iterdir()))
print("\n".join(result.to_config("trainner-redux").lost[:2]))

# %% [markdown]
# `ddrscope train` takes the recipe itself. Here a tiny network for a minute, to see it run; leave the changes out for a
# network that is of use.

# %%
for name, part in (("train", clean[:10]), ("val", clean[10:12])):
    Path(name).mkdir()
    for path in part:
        Image.open(path).save(Path(name) / Path(path).name)

# %% language="bash"
# ddrscope train quick degradation_recipe=matched/recipe.json pixel.steps=300 channels=16 precision=float32 \
#     --images train --val val --out run 2>/dev/null | tail -3

# %% [markdown]
# The network was trained on such images, so it removes their blur and noise as far as so short a training goes. Left an
# ugly image, enlarged bicubically; right by the network:

# %%
network = ddrscope.load_network("run/pixel/weights.safetensors")
ugly = ddrscope.read_image(sorted(Path("ugly").iterdir())[0])
pixels = ugly.pixels
large = Image.fromarray(np.uint8(pixels * 255)).resize((256, 256), Image.Resampling.BICUBIC)
made = ddrscope.enlarge(network, pixels)
Image.fromarray(np.concatenate([np.asarray(large), made], axis=1)).quantize(128)
