"""Chains, their text form, recipes, and the kernel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ddrscope.degradations import parse_degradation, resize
from ddrscope.degradations.chains import DegradationChain, Resizing, parse_chain
from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.recipe_steps import weighted_quantiles
from ddrscope.errors import InputError
from ddrscope.matching.kernel import discrepancy, kernel, matching_weights
from ddrscope.matching.presets import PRESETS
from ddrscope.matching.prior import draw_chain, varied_chain

TEXT = "blur:2+resize:0.25,bicubic+noise:10+jpeg:80"


def test_a_chain_does_what_its_steps_do_in_their_order() -> None:
    pixels = np.random.default_rng(0).random((64, 48, 3), dtype=np.float32)
    made = parse_chain("blur:2+resize:0.5,lanczos+jpeg:60+resize:0.25,box").apply(pixels, np.random.default_rng(1))
    (blur,), (jpeg,) = (parse_degradation(text).steps for text in ("blur:2", "jpeg:60"))
    rng = np.random.default_rng(1)
    step = np.clip(blur.apply(pixels, rng), 0, 1)
    step = np.clip(resize(step, (32, 24), "lanczos"), 0, 1)
    step = np.clip(resize(np.clip(jpeg.apply(step, rng), 0, 1), (16, 12), "box"), 0, 1)
    np.testing.assert_allclose(made, np.rint(step * 255) / 255, atol=1e-6)


@pytest.mark.parametrize("name", ["prior", *PRESETS])
def test_the_text_of_a_chain_gives_it_back_and_every_chain_makes_lr_images(name: str) -> None:
    rng, pixels = np.random.default_rng(0), np.full((64, 64, 3), 0.5, np.float32)
    for _ in range(60):
        chain = draw_chain(rng, 4) if name == "prior" else PRESETS[name](rng, 4)
        again = parse_chain(chain.text)
        assert again == parse_chain(again.text) and again.text == chain.text and again.shrink == chain.shrink
        made = chain.apply(pixels, rng)
        assert made.shape == (16, 16, 3) and made.min() >= 0 and made.max() <= 1
        other = varied_chain(chain, rng, 4, 0.2)
        assert isinstance(other.steps[other.shrink], Resizing) and parse_chain(other.text).text == other.text


@pytest.mark.parametrize(
    "text", ["blur:2", "resize:0.25,cubic", "resize:0", "resize:x,box", "resize:9", "blurr:2+resize:0.5"]
)
def test_a_bad_chain_is_one_line(text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_chain(text)
    assert "\n" not in str(error.value)


def recipe() -> DegradationRecipe:
    texts = [TEXT, "jpeg:90+lens_blur:3+resize:0.25,box+camera_noise:5+jpeg:60,444", "resize:0.25,bicubic"]
    return DegradationRecipe(4, tuple(map(parse_chain, texts)), np.array([0.5, 0.3, 0.2]))


def test_a_recipe_sums_up_its_chains() -> None:
    steps = {(step.place, step.role): step for step in recipe().steps()}
    assert steps["before", "blur"].probability == pytest.approx(0.8)
    assert {name: use.share for name, use in steps["before", "blur"].kinds.items()} == pytest.approx(
        {"blur": 0.625, "lens_blur": 0.375}
    )
    assert steps["before", "compression"].probability == pytest.approx(0.3)
    jpeg = steps["after", "compression"].kinds["jpeg"]
    assert 58 < jpeg.numbers["level"].low < 62 and 78 < jpeg.numbers["level"].high < 82
    assert jpeg.words["subsampling"] == pytest.approx({"420": 0.625, "444": 0.375})
    assert steps["after", "noise"].position < steps["after", "compression"].position
    assert recipe().final_interpolations() == pytest.approx({"bicubic": 0.7, "box": 0.3})


def test_a_family_without_a_role_is_other_and_a_third_is_a_third() -> None:
    odd = DegradationRecipe(3, (parse_chain("brightness:20+resize:0.333333333,bicubic"),), np.array([1.0]))
    assert [step.role for step in odd.steps()] == ["other"]
    third = DegradationChain((Resizing(1 / 3),))
    assert parse_chain(third.text) == third and third.apply(np.zeros((15_003, 3, 3), np.float32), None).shape == (
        5001,
        1,
        3,
    )  # type: ignore[arg-type]


def test_ranges_hold_nine_of_ten_drawn_levels() -> None:
    drawn = DegradationRecipe(4, (parse_chain("resize:0.25,bicubic+noise:10"),), np.array([1.0]), vary=0.2)
    (step,) = drawn.steps()
    spread = step.kinds["noise"].numbers["level"]
    rng = np.random.default_rng(0)
    levels = np.array([drawn.sample(rng).steps[1].level for _ in range(2000)])  # type: ignore[union-attr]
    assert np.mean((levels >= spread.low) & (levels <= spread.high)) == pytest.approx(0.9, abs=0.03)


def test_a_recipe_is_read_back_and_drawn_from(tmp_path: Path) -> None:
    path = recipe().save(tmp_path / "recipe.json")
    read = DegradationRecipe.load(path)
    assert [chain.text for chain in read.chains] == [chain.text for chain in recipe().chains]
    rng = np.random.default_rng(0)
    drawn = [read.sample(rng) for _ in range(400)]
    noisy = [chain for chain in drawn if any(getattr(step, "family", "") == "noise" for step in chain.steps)]
    assert 0.42 < len(noisy) / 400 < 0.58
    levels = [step.level for chain in noisy for step in chain.steps if getattr(step, "family", "") == "noise"]
    assert 8 < min(levels) < max(levels) < 12 and np.std(levels) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 9}, "no recipe of format 1"), ({"chains": []}, "needs 1 to 20000 chains"), ({"scale": 0}, "use 1 to 16"),
        ({"scale": 4.5}, "whole number"), ({"vary": -1}, "use 0 to 1"), ({"vary": float("nan")}, "use 0 to 1"),
        ({"scale": 2}, "does not end at 1/2"), ({"chains": [{"weight": 10**400, "chain": TEXT}]}, "OverflowError"),
        ({"chains": [{"weight": 1e308, "chain": TEXT}] * 3}, "positive and finite"),
        ({"chains": [{"weight": 1, "chain": "a\n" + TEXT}]}, "unknown degradation"),
        ({"chains": [{"weight": 1, "chain": "noise:1+" * 900 + TEXT}]}, "too long"),
        ({"chains": [{"weight": 1, "chain": "nonsense:1"}]}, "nonsense"), ({"chains": 5}, "no recipe"),
        ({"chains": [{"weight": -1, "chain": TEXT}]}, "positive and finite"),
    ],
)  # fmt: skip
def test_a_bad_recipe_is_one_line(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe().to_json() | change))
    with pytest.raises(InputError, match=said) as error:
        DegradationRecipe.load(path)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="no such file"):
        DegradationRecipe.load(tmp_path / "none.json")


def test_weighted_quantiles_are_those_of_repeated_values() -> None:
    values, weights = np.array([1.0, 2.0, 5.0]), np.array([1.0, 2.0, 1.0])
    assert weighted_quantiles(values, weights, (0.5,)) == (2.0,)
    assert weighted_quantiles(np.array([3.0]), np.array([0.2]), (0.05, 0.95)) == (3.0, 3.0)


def test_the_discrepancy_is_nothing_for_equal_sets_and_grows_with_their_distance() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 300, 5))
    values = [discrepancy(first, second + shift) for shift in (0, 0.5, 1, 3)]
    assert abs(values[0]) < 0.003 and values == sorted(values)


def test_weights_find_the_mixture() -> None:
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [6, 0], [0, 6], [6, 6]])
    groups = [rng.normal(center, 1, (100, 2)) for center in centers]
    real = np.concatenate([rng.normal(centers[0], 1, (150, 2)), rng.normal(centers[3], 1, (50, 2))])
    between = np.array([[kernel(a, b).mean() for b in groups] for a in groups])
    towards = np.array([kernel(group, real).mean() for group in groups])
    np.testing.assert_allclose(matching_weights(between, towards), [0.75, 0, 0, 0.25], atol=0.06)


def test_a_chain_needs_a_resizing_for_its_place() -> None:
    chain = DegradationChain(tuple(parse_chain(TEXT).steps))
    assert chain.shrink == 1 and chain.with_step(1, Resizing(0.5)).steps[1] == Resizing(0.5)
