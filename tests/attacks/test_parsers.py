"""Every parser of text: a value or an `InputError` for any text, and what is written is read again as the same."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrupt_files import write
from ddrscope.cli.common import named_values
from ddrscope.comparison import watch_log
from ddrscope.degradations import (
    Degradation,
    DegradationChain,
    DegradationRecipe,
    Pipeline,
    list_degradations,
    parse_chain,
    parse_degradation,
    parse_random_pipeline,
)
from ddrscope.degradations.base import Range
from ddrscope.degradations.chains import Resizing
from ddrscope.degradations.distortions import read_distortions
from ddrscope.errors import InputError, escaped, printable
from ddrscope.filtering import parse_expression
from ddrscope.filtering.columns import bind
from ddrscope.generalization.suite import read_suite
from ddrscope.images import find_images
from ddrscope.layers.names import LayerName
from ddrscope.networks import load_network
from ddrscope.networks.checkpoints.ncnn_graphs import read_param
from ddrscope.training import Recipe, as_toml, make_recipe, parse_changes

FAMILIES = sorted(family.family for family in list_degradations())
ODD = ["1e999", "0x1", "1_0", "-0", "\u0663", "9" * 400]
NUMBERS = st.one_of(st.integers(-999, 999).map(str), st.floats().map(str), st.sampled_from(ODD))
# Text that nearly is one, which goes further into a parser than any text.
NEARLY = st.lists(
    st.one_of(st.sampled_from([*FAMILIES, "clean", ":", ",", "+", "..", " "]), NUMBERS, st.text(max_size=3)),
    max_size=12,
).map("".join)
TEXTS = st.one_of(st.text(), NEARLY)
# Values of JSON, among them those that recipes have.
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.sampled_from([4, 0.05, "resize:0.25", 10**400])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["weight", "chain", "path", "values"]), inner)
    ),
    max_leaves=6,
)


def value_or_refusal(call: Callable[..., Any], *given: Any) -> Any:
    """What the call gives, None for an `InputError` of one line; anything else is a failure."""
    try:
        return call(*given)
    except InputError as error:
        assert len(printable(str(error)).splitlines()) == 1
        return None


# Degradations


@st.composite
def degradations(draw: st.DrawFn) -> Degradation:
    """A degradation of any family and level."""
    family = draw(st.sampled_from(list_degradations()))
    values = []
    for _, kind, allowed, _ in family._parameters():
        if isinstance(allowed, Range):
            numbers = (
                st.integers(int(np.ceil(allowed.low)), int(allowed.high))
                if kind is int
                else st.floats(allowed.low, allowed.high)
            )
            values.append(draw(numbers))
        else:
            values.append(draw(st.sampled_from(allowed)))
    return family(*values)


@given(st.lists(degradations(), max_size=4))
def test_the_text_of_a_pipeline_is_read_as_the_pipeline(steps: list[Degradation]) -> None:
    pipeline = Pipeline(tuple(steps))
    assert parse_degradation(pipeline.text) == pipeline
    fixed = parse_random_pipeline(pipeline.text)
    assert fixed.low == fixed.high == pipeline == fixed.sample(np.random.default_rng(0))


@given(st.lists(degradations(), max_size=3), st.floats(0.01, 4), st.lists(degradations(), max_size=3))
def test_the_text_of_a_chain_is_read_as_the_chain(
    before: list[Degradation], share: float, after: list[Degradation]
) -> None:
    chain = DegradationChain((*before, Resizing(share), *after))
    assert parse_chain(chain.text) == chain


@given(
    st.one_of(TEXTS, st.lists(st.sampled_from(["resize:", "0.5", ",box", "+", "noise:1", "\n", "nan"])).map("".join))
)
def test_any_text_is_a_chain_or_refused(text: str) -> None:
    chain = value_or_refusal(parse_chain, text)
    assert chain is None or parse_chain(chain.text) == chain


@given(JSON, JSON, JSON)
def test_any_json_is_a_recipe_or_refused(
    tmp_path_factory: pytest.TempPathFactory, scale: Any, vary: Any, rows: Any
) -> None:
    path = tmp_path_factory.mktemp("recipe") / "recipe.json"
    path.write_text(json.dumps({"format": 1, "scale": scale, "vary": vary, "chains": rows}))
    recipe = value_or_refusal(DegradationRecipe.load, path)
    if recipe is not None:
        recipe.sample(np.random.default_rng(0))


@given(JSON)
def test_any_json_is_the_log_of_a_watch_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("watch")
    (folder / watch_log.REFERENCE).write_text(json.dumps({"settings": value, "values": value}))
    (folder / watch_log.LINES).write_text(json.dumps(value) + "\n")
    value_or_refusal(watch_log.WatchLog(folder).reference)
    value_or_refusal(watch_log.WatchLog(folder).images)


@given(TEXTS)
def test_any_text_as_a_degradation(text: str) -> None:
    pipeline = value_or_refusal(parse_degradation, text)
    if pipeline is not None:
        assert parse_degradation(pipeline.text) == pipeline


@given(TEXTS, st.integers(0, 9))
def test_any_text_as_a_random_degradation(text: str, seed: int) -> None:
    random_pipeline = value_or_refusal(parse_random_pipeline, text)
    if random_pipeline is not None:
        one = random_pipeline.sample(np.random.default_rng(seed))
        assert parse_degradation(one.text) == one


# Expressions

EXPRESSION_WORDS = [
    "level",
    "type",
    "unseen",
    "not",
    "and",
    "or",
    "(",
    ")",
    "<",
    "==",
    ">=",
    " ",
    "'a'",
    "f(",
    ".",
    "[",
    "lambda:",
    "=",
    "#",
]
NEARLY_EXPRESSIONS = st.lists(st.one_of(st.sampled_from(EXPRESSION_WORDS), NUMBERS, st.text(max_size=2)), max_size=16)


@given(st.text() | NEARLY_EXPRESSIONS.map(" ".join) | st.integers(0, 3000).map(lambda n: "(" * n + "unseen" + ")" * n))
def test_any_text_as_an_expression(text: str) -> None:
    condition = value_or_refusal(parse_expression, text)
    if condition is not None:
        value_or_refusal(bind, condition, {"level": "number", "type": "text", "unseen": "flag"})
        assert str(parse_expression(str(condition))) == str(condition)


# Files in TOML

TOML_WORDS = ["sets", "[pixel]", "[[distortion]]", "degradations", "seed", "levels", "base", *'=\n[]{}",.']
TOML = st.one_of(
    st.text(),
    st.lists(st.one_of(st.sampled_from(TOML_WORDS), NUMBERS, NEARLY), max_size=20).map("".join),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parsers")


@given(TOML.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary())
def test_any_bytes_as_a_toml_file(folder: Path, data: bytes) -> None:
    path = write(folder / "x.toml", data)
    for read in (read_suite, lambda name: read_distortions(Path(name)), make_recipe):
        value_or_refusal(read, str(path))


def known_settings() -> st.SearchStrategy[dict[str, Any]]:
    """Changes of a recipe that are nearly right."""
    keys = [
        *Recipe.__dataclass_fields__,
        "pixel.steps",
        "pixel.learning_rate",
        "adversarial.loss",
        "adversarial.r1_weight",
        ".",
        "a.b",
    ]
    values = st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=5), NEARLY, st.lists(NEARLY, max_size=2), st.none()
    )
    return st.dictionaries(st.sampled_from(keys), values, max_size=3)


@given(known_settings())
def test_the_text_of_a_recipe_is_read_as_the_recipe(folder: Path, changes: dict[str, Any]) -> None:
    recipe = value_or_refusal(make_recipe, "pilot", changes)
    if recipe is not None:
        write(folder / "x.toml", as_toml(recipe).encode())
        assert make_recipe(str(folder / "x.toml")) == recipe


@given(
    st.lists(
        st.one_of(st.text(), st.tuples(st.sampled_from(list(Recipe.__dataclass_fields__)), TOML).map("=".join)),
        max_size=3,
    )
)
def test_any_words_as_changes(words: list[str]) -> None:
    value_or_refusal(lambda: make_recipe("pilot", parse_changes(words)))


# Names


@given(st.text(), st.sampled_from(["", "#2", "#*", "#0", "#" + "9" * 5000]), st.booleans())
def test_any_text_as_a_layer(text: str, call: str, is_input: bool) -> None:
    layer = value_or_refusal(LayerName.parse, text + call + (":input" if is_input else ""))
    if layer is not None:
        assert LayerName.parse(str(layer)) == layer


@given(
    st.text("ab.*?[]#:", min_size=1).filter(lambda text: not re.search(r"#|:input$", text)),
    st.integers(0, 99),
    st.booleans(),
)
def test_the_text_of_a_layer_is_read_as_the_layer(module: str, call: int, is_input: bool) -> None:
    layer = LayerName(module, call, is_input)
    assert LayerName.parse(str(layer)) == layer


@given(st.lists(st.text()))
def test_any_words_as_named_values(words: list[str]) -> None:
    values = value_or_refusal(named_values, "--set", words)
    if values is not None:
        assert [f"{name}={value}" for name, value in values.items()] == words


@given(st.text())
def test_any_text_as_a_network(text: str) -> None:
    # A name of letters, a colon and letters is a function of the user's own.
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
        value_or_refusal(load_network, text)


@given(st.text())
def test_shown_text_controls_nothing_and_hides_nothing(text: str) -> None:
    shown = printable(text)
    assert shown.isascii() or shown.encode("utf-8")
    assert not set(shown) & set(map(chr, [*range(32), *range(127, 160)])) and not re.search(
        "[\u2028-\u202e\u2066-\u2069]", shown
    )
    if text.isascii() and text.isprintable():
        assert escaped(text) == text


# Lists and graphs


LINES = st.lists(st.text(), max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


@given(st.one_of(st.binary(max_size=200), LINES))
def test_any_bytes_as_a_list(folder: Path, data: bytes) -> None:
    files = value_or_refusal(find_images, [write(folder / "list.txt", data)])
    for file in files or []:
        assert file.name.encode() and not Path(file.name).is_absolute() and ".." not in Path(file.name).parts
    assert len({file.name for file in files or []}) == len(files or [])


@given(
    st.lists(
        st.text(string.ascii_letters + string.digits + "._- ", min_size=1, max_size=9).map(str.strip),
        min_size=1,
        unique=True,
    )
)
def test_a_list_of_names_is_read_as_the_names(folder: Path, names: list[str]) -> None:
    names = [f"{name}.png" for name in names]
    found = find_images([write(folder / "names.txt", "\n".join(names).encode())])
    assert sorted(file.path.name for file in found) == sorted(names)


@given(st.tuples(st.sampled_from(["", "~x", "a/**/b", "x[", "\0"]), st.text()).map("".join))
def test_any_text_as_a_source(text: str) -> None:
    if (
        not text.startswith(("/", "*", "~/")) and ".." not in text and text.strip("./~")
    ):  # those would search this machine
        value_or_refusal(find_images, [text])


LAYER_WORDS = [
    "Convolution",
    "PReLU",
    "Input",
    "Interp",
    "\n",
    "1 1 a b",
    "0 1 a",
    "0=1",
    "6=27",
    "9=2",
    "-23309=0",
    "-23310=1,2",
    "=",
]
LAYERS = st.lists(st.one_of(st.sampled_from(LAYER_WORDS), NUMBERS, st.text(max_size=3)), max_size=20).map(" ".join)


@pytest.mark.slow
@given(st.one_of(st.text(), st.tuples(st.integers(0, 3), LAYERS).map(lambda two: f"7767517\n{two[0]} 1\n{two[1]}")))
def test_any_text_as_an_ncnn_graph(folder: Path, text: str) -> None:
    path = write(folder / "net.param", text.encode("utf-8", "surrogatepass"))
    write(folder / "net.bin", bytes(64))
    for layer in value_or_refusal(read_param, path) or []:
        assert all(isinstance(layer.number(key), float | int) for key in range(30))
    value_or_refusal(load_network, path)
