"""Recipes as configuration files of other programs: what is written, and what is said to be lost."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddrscope.degradations.chains import parse_chain
from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.errors import InputError
from ddrscope.matching.configs import TARGETS, to_config
from ddrscope.training import make_recipe


def make(*chains: str, weights: tuple[float, ...] = (), scale: int = 4, vary: float = 0.0) -> DegradationRecipe:
    shares = np.array(weights or (1 / len(chains),) * len(chains))
    return DegradationRecipe(scale, tuple(map(parse_chain, chains)), shares, vary)


SIMPLE = make("blur:2+resize:0.25,bicubic+noise:10+jpeg:50", "resize:0.25,bicubic+noise:20", weights=(0.25, 0.75))
CLEAN = make("resize:0.5,bicubic", scale=2)
MIXED = make(
    "blur:1.5+resize:0.5,bilinear+jpeg:70+resize:0.25,bicubic+camera_noise:8,1+jpeg:40",
    "lens_blur:2+resize:0.25,lanczos+poisson:100+webp:50",
    "resize:1.5,bicubic+noise:20+resize:0.25,box+ringing:2+jpeg:80,444",
    "aniso_blur:3,1,45+resize:0.25,bilinear+video:30,hevc+jpeg2000:20",
    "motion_blur:9+resize:0.25,bicubic+resample:1.5,bilinear+impulse:2+avif:40",
    "resize:0.25,bicubic+noise:5+blur:0.8",
    weights=(0.3, 0.2, 0.15, 0.15, 0.1, 0.1),
    vary=0.1,
)
# Those that a program with two processes, and the two programs with steps in any order, cannot express in MIXED.
LOST = {
    "realesrgan": "webp video avif jpeg2000 impulse lens_blur motion_blur aniso_blur camera_noise resample ringing",
    "trainner-redux": "webp video avif jpeg2000 impulse lens_blur motion_blur aniso_blur camera_noise resample ringing",
    "neosr": "webp video avif jpeg2000 impulse lens_blur motion_blur aniso_blur camera_noise resample ringing",
    "wtp": "avif jpeg2000 ringing aniso_blur camera_noise poisson resample video",
    "pepedd": "noise camera_noise poisson impulse ringing aniso_blur video",
    "ddrscope": "",
}
_PROCESS = "gaussian_noise_prob noise_range poisson_scale_range gray_noise_prob jpeg_range resize_prob resize_range"
_KERNELS = "blur_kernel_size kernel_list kernel_prob sinc_prob blur_sigma betag_range betap_range"


def both(names: str) -> set[str]:
    return {name + suffix for name in names.split() for suffix in ("", "2")}


# The keys that each program reads.
REALESRGAN_TOP = both(_PROCESS) | set(
    "name model_type scale num_gpu manual_seed gt_usm second_blur_prob gt_size queue_size datasets network_g path train "
    "logger dist_params".split()
)
REALESRGAN_DATA = both(_KERNELS) | set(
    "name type dataroot_gt meta_info io_backend final_sinc_prob gt_size use_hflip use_rot use_shuffle num_worker_per_gpu "
    "batch_size_per_gpu dataset_enlarge_ratio".split()
)
REDUX_TOP = (
    both(f"{_PROCESS} blur_prob jpeg_prob resize_mode_list resize_mode_prob")
    | {"resize_mode_list3", "resize_mode_prob3"}
    | set(
        "name scale use_amp num_gpu high_order_degradation lq_usm thicklines_prob queue_size datasets network_g path train "
        "val logger".split()
    )
)
REDUX_DATA = both(f"{_KERNELS} kernel_range") | set(
    "name type dataroot_gt final_sinc_prob final_kernel_range lq_size use_hflip use_rot num_worker_per_gpu "
    "batch_size_per_gpu accum_iter".split()
)
NEOSR = both(f"{_PROCESS} {_KERNELS}") | {"second_blur_prob", "final_sinc_prob"}
WTP = {
    "blur": "filter target_kernel motion_size motion_angle",
    "noise": "type_noise alpha y_noise uv_noise bias probability_salt_or_pepper",
    "compress": "algorithm jpeg_sampling video_sampling target_compress",
    "resize": "alg_lq alg_hq spread scale down_up color_fix gamma_correction",
    "pixelate": "size",
}
PEPEDD = {
    "blur": "filters target_kernels motion_size motion_angle",
    "compress": "algorithm samplings ffmpeg_samplings preset tune target_compress",
    "resize": "alg_lq alg_hq spread scale divider olq",
}


def yaml_of(recipe: DegradationRecipe, target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The top level and the training data of a YAML file."""
    yaml = pytest.importorskip("yaml")
    values = yaml.safe_load(to_config(recipe, target).text)
    return values, values["datasets"]["train"]


def neosr_of(recipe: DegradationRecipe) -> dict[str, Any]:
    values = tomllib.loads(to_config(recipe, "neosr").text)
    result: dict[str, Any] = values["degradations"]
    return result


def nodes_of(recipe: DegradationRecipe) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = tomllib.loads(to_config(recipe, "pepedd").text)["degradation"]
    return nodes


def blocks_of(recipe: DegradationRecipe) -> list[dict[str, str]]:
    """The blocks of a file for wtp_dataset_destroyer, with their values as text."""
    blocks = re.findall(r"^degradation \{\n(.*?)^\}", to_config(recipe, "wtp").text, re.DOTALL | re.MULTILINE)
    return [dict(line.strip().split(" = ", 1) for line in block.splitlines()) for block in blocks]


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


@pytest.mark.parametrize("recipe", [SIMPLE, CLEAN, MIXED], ids=["simple", "clean", "mixed"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_file_says_what_is_lost(recipe: DegradationRecipe, target: str) -> None:
    config = to_config(recipe, target)
    comments = [line for line in config.text.splitlines() if line.startswith("# - ")]
    assert comments == [f"# - {sentence}" for sentence in config.lost]
    assert len(set(config.lost)) == len(config.lost)
    assert "nan" not in config.text and "inf" not in re.sub("[a-z]*inf[a-z]+", "", config.text)


@pytest.mark.parametrize("target", TARGETS)
def test_each_family_that_cannot_be_expressed_has_a_sentence(target: str) -> None:
    lost = " ".join(to_config(MIXED, target).lost)
    for family in LOST[target].split():
        assert re.search(rf"\b{family}\b", lost), family


def test_an_unknown_target_is_an_error_that_names_the_others() -> None:
    with pytest.raises(InputError) as error:
        to_config(SIMPLE, "gimp\n")
    assert all(target in str(error.value) for target in TARGETS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("recipe", [SIMPLE, CLEAN, MIXED], ids=["simple", "clean", "mixed"])
def test_no_key_is_unknown_to_its_program(recipe: DegradationRecipe) -> None:
    for target, top, data in (
        ("realesrgan", REALESRGAN_TOP, REALESRGAN_DATA),
        ("trainner-redux", REDUX_TOP, REDUX_DATA),
    ):
        values, train = yaml_of(recipe, target)
        assert (set(values), set(train)) == (top, data)
    assert neosr_of(recipe).keys() == NEOSR
    for block in blocks_of(recipe):
        assert block.keys() <= {"type", "probability", *WTP[block["type"].strip('"')].split()}
    for node in nodes_of(recipe):
        assert node["options"].keys() <= {"probability", *PEPEDD[node["type"]].split()}


def test_ranges_and_probabilities_of_two_processes() -> None:
    for values, data in (yaml_of(SIMPLE, "realesrgan"), yaml_of(SIMPLE, "trainner-redux"), (neosr_of(SIMPLE),) * 2):
        assert values["noise_range2"] == pytest.approx([10, 20], abs=0.1)
        assert values["gaussian_noise_prob2"] == 1
        assert data["blur_sigma2"] == pytest.approx([2, 2.01])
        assert values["blur_prob2" if "blur_prob2" in values else "second_blur_prob"] == 0.25
        assert data["kernel_list2"] == ["iso"]
    redux, _ = yaml_of(SIMPLE, "trainner-redux")
    assert (redux["jpeg_prob"], redux["jpeg_prob2"]) == (0, 0.25)
    assert redux["jpeg_range2"] == [50, 50]
    # The LR size is made by the second resizing, so that noise and JPEG act on LR pixels.
    assert redux["resize_prob2"] == [1, 0, 0]
    assert int(256 / 4 * redux["resize_range2"][1]) == 64


def test_absent_steps_have_probability_zero_or_change_nothing() -> None:
    for values, data in (yaml_of(CLEAN, "realesrgan"), yaml_of(CLEAN, "trainner-redux"), (neosr_of(CLEAN),) * 2):
        for suffix in ("", "2"):
            assert values[f"gaussian_noise_prob{suffix}"] == values[f"gray_noise_prob{suffix}"] == 0
            assert values[f"noise_range{suffix}"] == values[f"poisson_scale_range{suffix}"] == [0, 0]
            assert data[f"sinc_prob{suffix}"] == 0
            # A Gaussian so narrow that only its central pixel is left.
            assert math.exp(-0.5 / data[f"blur_sigma{suffix}"][1] ** 2) < 1e-9
        assert values["resize_prob"] == [0, 0, 1]
        assert data["final_sinc_prob"] == 0
    redux, _ = yaml_of(CLEAN, "trainner-redux")
    assert [redux[key] for key in ("blur_prob", "blur_prob2", "jpeg_prob", "jpeg_prob2")] == [0, 0, 0, 0]
    plain, _ = yaml_of(CLEAN, "realesrgan")
    assert plain["second_blur_prob"] == 0 and plain["jpeg_range"][0] >= 99
    assert [block["type"] for block in blocks_of(CLEAN)] == ['"resize"']
    assert [node["type"] for node in nodes_of(CLEAN)] == ["resize"]


def test_intermediate_sizes() -> None:
    recipe = make("resize:0.4,box+resize:0.25,bicubic", "resize:1.5,box+resize:0.25,bicubic", weights=(0.75, 0.25))
    values, _ = yaml_of(recipe, "realesrgan")
    assert values["resize_prob"] == pytest.approx([0.25, 0.75, 0])
    assert values["resize_range"] == pytest.approx([0.4, 1.5])
    redux, _ = yaml_of(recipe, "trainner-redux")
    assert (redux["resize_mode_list"], redux["resize_mode_list2"]) == (["area"], ["bicubic"])
    (block,) = blocks_of(recipe)
    # Sides are the LR sides divided by these.
    assert numbers(block["down_up"])[:2] == pytest.approx([1 / (4 * 1.5), 1 / (4 * 0.4)], abs=1e-5)
    assert block["alg_lq"] == '["down_up"]'
    first, last = (node["options"] for node in nodes_of(recipe))
    assert (first["scale"], first["olq"], first["alg_lq"]) == (1, True, ["c_box"])
    assert np.arange(*first["spread"])[[0, -1]] == pytest.approx([0.4, 1.5])
    assert (last["scale"], last["spread"], last["probability"]) == (4, [1], 1)


def test_interpolations_of_the_last_resizing_keep_their_shares() -> None:
    recipe = make("resize:0.25,bicubic", "resize:0.25,box", "resize:0.25,nearest", weights=(0.5, 0.3, 0.2))
    redux, _ = yaml_of(recipe, "trainner-redux")
    assert redux["resize_mode_list2"] == ["bicubic", "area", "nearest-exact"]
    assert redux["resize_mode_prob2"] == pytest.approx([0.5, 0.3, 0.2])
    (block,) = blocks_of(recipe)
    assert [block["alg_lq"].count(name) for name in ("catrom", "box", "nearest")] == [5, 3, 2]
    # The first of these resizings that happens makes the size.
    left, shares = 1.0, []
    for node in nodes_of(recipe):
        shares.append(left * node["options"]["probability"])
        left -= shares[-1]
    assert shares == pytest.approx([0.5, 0.3, 0.2])


def test_noise_of_other_kinds_is_as_strong_on_grey() -> None:
    # The variance of Poisson noise on mid grey is 0.5 / photons; that of Real-ESRGAN is scale^2 x / 256.
    poisson = make("resize:0.25,bicubic+poisson:100", "resize:0.25,bicubic", weights=(0.5, 0.5))
    values = neosr_of(poisson)
    assert values["poisson_scale_range2"] == pytest.approx([1.6, 1.6])
    assert (values["gaussian_noise_prob2"], values["noise_range2"]) == (0.5, [0, 0])
    noise = blocks_of(poisson)[1]
    # Its Gaussian noise has sigma 0.25 alpha.
    assert 0.25 * numbers(noise["alpha"])[0] == pytest.approx(math.sqrt(0.5 / 100), rel=0.03)
    assert noise["probability"] == "0.5"
    speckle = neosr_of(make("resize:0.25,bicubic+speckle:20"))
    assert speckle["noise_range2"] == pytest.approx([10, 10], rel=0.03)


def test_levels_are_widened_by_the_variation_of_the_recipe() -> None:
    recipe = make("resize:0.25,bicubic+noise:10+jpeg:60", vary=0.1)
    factor = math.exp(1.645 * 0.1)
    values = neosr_of(recipe)
    assert values["noise_range2"] == pytest.approx([10 / factor, 10 * factor], rel=1e-3)
    # Of JPEG, the distance from quality 100 varies.
    assert values["jpeg_range2"] == pytest.approx([100 - 40 * factor, 100 - 40 / factor], rel=1e-3)


def test_blur_at_the_lr_size_is_as_wide_before_the_resizing() -> None:
    _, data = yaml_of(make("resize:0.25,bicubic+blur:1"), "trainner-redux")
    assert data["blur_sigma2"][0] == pytest.approx(4)


def test_a_scale_that_does_not_divide_the_crop_is_said() -> None:
    recipe = make("resize:0.333333333,bicubic", scale=3)
    for target in ("realesrgan", "neosr", "trainner-redux"):
        assert any("does not divide" in sentence for sentence in to_config(recipe, target).lost)


@pytest.mark.parametrize("recipe", [SIMPLE, CLEAN, MIXED], ids=["simple", "clean", "mixed"])
def test_our_own_recipe_names_the_file_and_loses_nothing(
    recipe: DegradationRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = to_config(recipe, "ddrscope", "matched/recipe.json")
    (tmp_path / config.name).write_text(config.text)
    (tmp_path / "matched").mkdir()
    recipe.save(tmp_path / "matched" / "recipe.json")
    monkeypatch.chdir(tmp_path)
    trained = make_recipe(config.name)
    (read,) = trained.distributions()
    assert trained.scale == recipe.scale and config.lost == ()
    assert isinstance(read, DegradationRecipe) and read.to_json() == recipe.to_json()


def test_a_scale_that_cannot_be_trained_is_an_error() -> None:
    with pytest.raises(InputError, match="scale 8"):
        to_config(make("resize:0.125,bicubic", scale=8), "ddrscope")


def test_pepedd_accepts_its_options() -> None:
    core = pytest.importorskip("pepedd.core")
    for recipe in (SIMPLE, CLEAN, MIXED):
        core.PipelineOptions(**tomllib.loads(to_config(recipe, "pepedd").text))


def test_hcl_is_read() -> None:
    hcl2 = pytest.importorskip("hcl2")
    for recipe in (SIMPLE, CLEAN, MIXED):
        assert len(hcl2.loads(to_config(recipe, "wtp").text)["degradation"]) == len(blocks_of(recipe))
