"""Configurations of wtp_dataset_destroyer: HCL for `python destroyer.py -f`, which writes pairs of images."""

from __future__ import annotations

from collections.abc import Sequence

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.matching.configs.common import (
    PATH_TO_HR,
    RANGES,
    Config,
    Value,
    assignments,
    make_config,
    percent,
    repeated,
    rounding_lost,
    span,
)
from ddrscope.matching.configs.uses import Intermediate, Use, always_lost, grey_sigma, intermediate, uses

_INTERPOLATIONS = {
    "nearest": "nearest", "box": "box", "bilinear": "linear", "bicubic": "cubic_catrom", "lanczos": "lanczos",
}  # fmt: skip
# Its Gaussian noise has this sigma in 0..1 before the factor `alpha`.
_UNIT_SIGMA = 0.25
# The program draws `alpha` from so many values of its range.
_ALPHAS = 20
_SAMPLINGS = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4"}
# LR tiles have this side; the program shortens sides in LR pixels to even numbers.
_LR_TILE = 128


def wtp(recipe: DegradationRecipe) -> Config:
    """The recipe for wtp_dataset_destroyer, whose steps can be in any order."""
    found, resizing = uses(recipe), intermediate(recipe, ("resample",))
    lost = [*always_lost(recipe), *_resizing_lost(recipe, found, resizing)]
    before = _blocks([use for use in found if use.place == "before"], lost)
    after = _blocks([use for use in found if use.place == "after"], lost)
    lines = assignments({"input": PATH_TO_HR, "output": "path/to/output"})
    for block in (*before, _resize_block(recipe, resizing), *after):
        lines += ["", "degradation {", *(f"  {line}" for line in assignments(block)), "}"]
    options: dict[str, Value] = {
        "tile": {"size": _LR_TILE * recipe.scale, "no_wb": True},
        "map_type": "thread",
        "num_workers": 4,
        "shuffle_dataset": False,
        "debug": False,
        "only_lq": False,
        "real_name": False,
        # It would empty the folder.
        "out_clear": False,
        "gray": False,
    }
    lines += ["", *assignments(options)]
    notes = [
        "Run: python destroyer.py -f wtp.hcl",
        f"Fill in input and output. Images smaller than the tile of {_LR_TILE * recipe.scale} pixels are skipped.",
        RANGES,
    ]
    return make_config("wtp.hcl", "wtp_dataset_destroyer", notes, lost, lines)


def _resize_block(recipe: DegradationRecipe, resizing: Intermediate) -> dict[str, Value]:
    finals = {_INTERPOLATIONS[name]: share for name, share in recipe.final_interpolations().items()}
    direct = 1 - resizing.probability
    shares = {name: share * direct for name, share in finals.items() if direct > 0}
    block: dict[str, Value] = {"type": "resize"}
    if resizing.probability:
        shares["down_up"] = resizing.probability
        # The intermediate side is the LR side divided by `down`, so below 1 it is larger than the LR image.
        block["down_up"] = {
            "down": [1 / (recipe.scale * resizing.high), 1 / (recipe.scale * resizing.low)],
            "alg_down": repeated({_INTERPOLATIONS[name]: share for name, share in resizing.interpolations.items()}),
            "alg_up": repeated(finals),
        }
    # The program draws evenly from the list.
    block["alg_lq"] = repeated(shares)
    # HR tiles keep their size, so their interpolation changes nothing.
    return {**block, "alg_hq": ["nearest"], "spread": [1], "scale": recipe.scale, "color_fix": False,
            "gamma_correction": False}  # fmt: skip


def _resizing_lost(recipe: DegradationRecipe, found: Sequence[Use], resizing: Intermediate) -> list[str]:
    lost = [f"{use.where} counts as an intermediate resizing." for use in found if use.family == "resample"]
    lost += rounding_lost("interpolations to the LR size", recipe.final_interpolations())
    if not resizing.probability:
        return lost
    resizings = [step for step in recipe.steps() if step.place == "before" and step.role == "resize"]
    early = min((step.position for step in resizings), default=1.0)
    later = [use.family for use in found if use.place == "before" and use.position > early and use.role != "resize"]
    if later:
        lost.append(
            "The intermediate resizing is right before the last one, so what follows it in the recipe acts on the HR "
            f"image here: {', '.join(dict.fromkeys(later))}."
        )
    lost += rounding_lost("interpolations to the intermediate size", resizing.interpolations)
    names = repeated({"intermediate": resizing.probability, "direct": 1 - resizing.probability})
    written = names.count("intermediate") / len(names)
    if abs(written - resizing.probability) > 0.005:
        lost.append(
            f"The intermediate resizing has probability {percent(written)}, not {percent(resizing.probability)}."
        )
    return lost


def _blocks(found: Sequence[Use], lost: list[str]) -> list[dict[str, Value]]:
    blocks = []
    for use in found:
        if use.family == "resample":
            continue
        options = _options(use, lost)
        if options is None:
            lost.append(f"{use.where} is left out: there is no {use.family} here.")
        else:
            blocks.append({**options, "probability": use.probability})
    return blocks


def _options(use: Use, lost: list[str]) -> dict[str, Value] | None:
    """The keys of the block of a family; None if the program has nothing like it."""
    if use.role == "blur":
        return _blur(use, lost)
    if use.role == "noise":
        return _noise(use, lost)
    if use.role == "compression":
        return _compression(use, lost)
    if use.family == "pixelate":
        lost.append(f"{use.where} is shrunk with linear interpolation here.")
        return {"type": "pixelate", "size": list(use.ends())}
    return None


def _blur(use: Use, lost: list[str]) -> dict[str, Value] | None:
    low, high = use.ends()
    if use.family == "motion_blur":
        return {"type": "blur", "filter": ["motion"], **motion_keys(use)}
    if use.family == "lens_blur":
        return {"type": "blur", "filter": ["lens"], "target_kernel": {"lens": [low, high]}}
    if use.family == "aniso_blur":
        low, high = isotropic(use)
        lost.append(f"{use.where} is isotropic Gaussian blur, sigma {span((low, high))}.")
    elif use.family != "blur":
        return None
    return {"type": "blur", "filter": ["gauss"], "target_kernel": {"gauss": [low, high]}}


def isotropic(use: Use) -> tuple[float, float]:
    """The range of sigma of isotropic blur as wide as an anisotropic one: the geometric mean of both sigmas."""
    (low, high), across = use.ends(), use.ends("across")
    return (low * across[0]) ** 0.5, (high * across[1]) ** 0.5


def motion_keys(use: Use) -> dict[str, Value]:
    """The keys of motion blur. Upper ends of whole numbers are exclusive there."""
    low, high = use.whole_ends()
    start, end = use.ends("angle")
    # -1 is a random angle.
    angles = [0, 180] if start < 0 else [round(start), round(end) + 1]
    return {"motion_size": [low, high + 1], "motion_angle": angles}


def _noise(use: Use, lost: list[str]) -> dict[str, Value]:
    if use.family == "impulse":
        lost.append(f"{use.where}: each channel has its own pixels here.")
        ends = [end / 100 for end in use.ends()]
        return {"type": "noise", "type_noise": ["salt_and_pepper"], "probability_salt_or_pepper": ends}
    sigma = use.ends()
    if use.family != "noise":
        sigma = grey_sigma(use)
        lost.append(f"{use.where} is white Gaussian noise as strong on mid grey, sigma {span(sigma)}.")
    low, high = (end / 255 / _UNIT_SIGMA for end in sigma)
    step = (high - low) / _ALPHAS
    # The upper end is exclusive.
    alpha = [low, high + step / 2, step] if step > 1e-4 else [high]
    return {"type": "noise", "type_noise": ["gauss"], "alpha": alpha, "y_noise": 0, "uv_noise": 0, "bias": [0, 0]}


def _compression(use: Use, lost: list[str]) -> dict[str, Value] | None:
    low, high = use.whole_ends()
    # The upper end is exclusive.
    ends = [low, high + 1]
    if use.family == "jpeg":
        lost += rounding_lost(f"subsampling of {use.where}", use.words["subsampling"])
        samplings = repeated({_SAMPLINGS[name]: share for name, share in use.words["subsampling"].items()})
        return {
            "type": "compress",
            "algorithm": ["jpeg"],
            "jpeg_sampling": samplings,
            "target_compress": {"jpeg": ends},
        }
    if use.family == "webp":
        return {"type": "compress", "algorithm": ["webp"], "target_compress": {"webp": ends}}
    if use.family == "video":
        lost.append(f"{use.where}: the program encodes one frame, not the second of two, with FFmpeg's default preset.")
        codecs = use.words["codec"]
        lost += rounding_lost(f"codecs of {use.where}", codecs)
        return {
            "type": "compress", "algorithm": repeated(codecs), "video_sampling": ["420"],
            "target_compress": {codec: ends for codec in codecs},
        }  # fmt: skip
    return None
