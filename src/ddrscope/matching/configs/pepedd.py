"""Options of pepedd with pepedd-nodes: TOML for `pepedd.core.PipeLine`, which writes pairs of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.matching.configs.common import (
    PATH_TO_HR,
    RANGES,
    Config,
    Value,
    assignments,
    make_config,
    repeated,
    rounding_lost,
    span,
)
from ddrscope.matching.configs.uses import Use, always_lost, intermediate, uses
from ddrscope.matching.configs.wtp import isotropic, motion_keys

# Names of convolution filters, which are antialiased.
_INTERPOLATIONS = {
    "nearest": "nearest", "box": "c_box", "bilinear": "c_bilinear", "bicubic": "c_catmullrom", "lanczos": "c_lanczos3",
}  # fmt: skip
# The program draws the size from so many values of its range.
_SIZES = 20
# The largest quantizer of AV1.
_MAX_CRF = 63
_COMMAND = """python -c "import tomllib, pepedd; pepedd.core.PipeLine(tomllib.load(open('pepedd.toml', 'rb')))()\""""


def pepedd(recipe: DegradationRecipe) -> Config:
    """The recipe for pepedd, whose steps can be in any order."""
    found, resizing = uses(recipe), intermediate(recipe)
    lost = always_lost(recipe)
    nodes: list[tuple[str, dict[str, Value]]] = []
    is_resized = not resizing.probability
    resized_at = min((step.position for step in recipe.steps() if "resize" in step.kinds), default=0.0)
    for use in (use for use in found if use.place == "before"):
        if not is_resized and use.position > resized_at:
            nodes.append(_resizing_to(resizing.low, resizing.high, resizing.interpolations, resizing.probability))
            is_resized = True
        nodes += _nodes(use, 1, lost)
    if not is_resized:
        nodes.append(_resizing_to(resizing.low, resizing.high, resizing.interpolations, resizing.probability))
    nodes += _last_resizings(recipe)
    for use in (use for use in found if use.place == "after"):
        nodes += _nodes(use, recipe.scale, lost)
    if resizing.probability and len(resizing.interpolations) > 1:
        lost.append("Interpolations to the intermediate size are equally frequent here.")
    lines = assignments(
        {
            "input": PATH_TO_HR, "output": "path/to/output", "map_type": "thread", "num_workers": 4,
            "shuffle_dataset": False, "real_name": True,
            # It would delete the folder.
            "output_clear": False,
        }
    )  # fmt: skip
    for kind, options in nodes:
        lines += ["", "[[degradation]]", f'type = "{kind}"', "[degradation.options]", *assignments(options)]
    notes = [
        "Install: pip install pepedd pepedd-nodes",
        f"Run: {_COMMAND}",
        f"Fill in input and output. Sides of HR images should be multiples of {recipe.scale}: others are resized.",
        RANGES,
    ]
    return make_config("pepedd.toml", "pepedd 0.1 with pepedd-nodes 0.1", notes, lost, lines)


def _resizing_to(
    low: float, high: float, interpolations: Mapping[str, float], probability: float, divisor: int = 1
) -> tuple[str, dict[str, Value]]:
    """A resizing of the LR image alone to shares of the HR size, divided by ``divisor``."""
    step = (high - low) / _SIZES
    # The upper end is exclusive.
    spread = [low, high + step / 2, step] if step > 1e-4 else [high]
    return "resize", {
        "alg_lq": [_INTERPOLATIONS[name] for name in interpolations], "alg_hq": ["nearest"], "spread": spread,
        "scale": divisor, "divider": 1, "olq": True, "probability": probability,
    }  # fmt: skip


def _last_resizings(recipe: DegradationRecipe) -> list[tuple[str, dict[str, Value]]]:
    """One resizing to the LR size for each interpolation.

    The first that happens makes the size, and the program skips resizings to the present size; so the probability of
    each is its share among those that are left.
    """
    shares, rest, nodes = recipe.final_interpolations(), 1.0, []
    for index, (name, share) in enumerate(shares.items()):
        probability = 1.0 if index == len(shares) - 1 else min(share / rest, 1.0)
        options: dict[str, Value] = {
            "alg_lq": [_INTERPOLATIONS[name]], "alg_hq": ["c_catmullrom"], "spread": [1.0], "scale": recipe.scale,
            "divider": 1, "olq": False, "probability": probability,
        }  # fmt: skip
        nodes.append(("resize", options))
        rest -= share
    return nodes


def _nodes(use: Use, divisor: int, lost: list[str]) -> list[tuple[str, dict[str, Value]]]:
    if use.role == "resize":
        return _resampling(use, divisor)
    options = _blur(use, lost) if use.role == "blur" else _compression(use, lost)
    if options is None:
        lost.append(f"{use.where} is left out: there is no {use.family} here.")
        return []
    return [("blur" if use.role == "blur" else "compress", {**options, "probability": use.probability})]


def _resampling(use: Use, divisor: int) -> list[tuple[str, dict[str, Value]]]:
    low, high = use.ends()
    interpolations = use.words.get("interpolation", {"nearest": 1.0})
    # The second resizing finds the size it makes if the first did not happen, and changes nothing.
    return [
        _resizing_to(1 / high, 1 / low, interpolations, use.probability, divisor),
        _resizing_to(1.0, 1.0, interpolations, 1.0, divisor),
    ]


def _blur(use: Use, lost: list[str]) -> dict[str, Value] | None:
    if use.family == "motion_blur":
        return {"filters": ["motion"], **motion_keys(use)}
    if use.family == "lens_blur":
        return {"filters": ["lens"], "target_kernels": {"lens": list(use.ends())}}
    if use.family == "blur":
        return {"filters": ["gauss"], "target_kernels": {"gauss": list(use.ends())}}
    if use.family == "aniso_blur":
        ends = isotropic(use)
        lost.append(f"{use.where} is isotropic Gaussian blur, sigma {span(ends)}.")
        return {"filters": ["gauss"], "target_kernels": {"gauss": list(ends)}}
    return None


def _compression(use: Use, lost: list[str]) -> dict[str, Value] | None:
    if use.family == "video":
        return _video(use, lost)
    low, high = use.ends()
    if use.family == "jpeg":
        lost += rounding_lost(f"subsampling of {use.where}", use.words["subsampling"])
        samplings: list[Value] = list(repeated(use.words["subsampling"]))
        return {"algorithm": ["jpeg"], "samplings": samplings, "target_compress": {"jpeg": _exclusive(low, high)}}
    if use.family == "webp":
        return {"algorithm": ["webp"], "target_compress": {"webp": _exclusive(low, high)}}
    if use.family == "jpeg2000":
        # Its quality is 100 / compression ratio.
        lost.append(f"{use.where}: compression ratios are 100 divided by a whole number here.")
        ends = _exclusive(max(100 / high, 1), max(100 / low, 1))
        return {"algorithm": ["j2000"], "target_compress": {"j2000": ends}}
    if use.family == "avif":
        lost.append(f"{use.where}: quality is the quantizer that libavif gives it; FFmpeg encodes it here.")
        ends = _exclusive((100 - high) / 100 * _MAX_CRF, (100 - low) / 100 * _MAX_CRF)
        return {"algorithm": ["avif"], "ffmpeg_samplings": ["yuv420p_c"], "target_compress": {"avif": ends}}
    return None


def _exclusive(low: float, high: float) -> Sequence[int]:
    return [round(low), round(high) + 1]


def _video(use: Use, lost: list[str]) -> dict[str, Value]:
    codecs = use.words["codec"]
    lost.append(f"{use.where}: the program encodes one frame, not the second of two.")
    lost += rounding_lost(f"codecs of {use.where}", codecs)
    if "hevc" in codecs:
        lost.append("pepedd-nodes 0.1.1 encodes hevc as h264.")
    return {
        "algorithm": repeated(codecs), "ffmpeg_samplings": ["yuv420p_c"], "preset": ["veryfast", "realtime"],
        "tune": ["zerolatency", "default"], "target_compress": {codec: _exclusive(*use.ends()) for codec in codecs},
    }  # fmt: skip
