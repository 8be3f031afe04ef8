"""Recipes: everything that decides what a training makes, typed and with defaults, in a TOML file or on the command line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ddrscope.degradations import RandomPipeline, parse_random_pipeline
from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
# What is wrong in a recipe is shown, however long or deep it is.
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


@dataclass(frozen=True, config=_STRICT)
class PixelStage:
    """The first stage: mean absolute difference of the pixels, nothing else.

    The learning rate rises for ``warmup_steps`` to ``learning_rate`` and falls along half a cosine to zero at the last step.
    """

    steps: int = Field(default=40_000, ge=1)
    learning_rate: float = Field(default=4e-4, gt=0)
    warmup_steps: int = Field(default=200, ge=0)


@dataclass(frozen=True, config=_STRICT)
class AdversarialStage:
    """The second stage, which makes an SRGAN of an SRResNet; it starts from the averaged weights of the first. 0 steps: none.

    The generator's loss is ``pixel_weight`` * mean absolute difference + ``perceptual_weight`` * distance of the ``perceptual`` network +
    ``adversarial_weight`` * adversarial loss. At the output the slope of the adversarial loss is some thousand times that of the pixel
    loss, that of the perceptual some twenty times: hence the weights. ``loss`` is ``vanilla`` (Goodfellow et al. 2014, the
    form that does not saturate) or ``relativistic`` (the paired form of Jolicoeur-Martineau 2018). The discriminator is held in
    check by ``spectral_norm`` or by ``r1``, a penalty of ``r1_weight``/2 on the squared slope at real images (Mescheder et al.
    2018). ``perceptual``: ``alex`` or ``vgg`` (ST-LPIPS, come with stlpips-pytorch), ``vgg19`` (torchvision's weights), ``none``.
    ``warmup_steps`` are the generator's; the discriminator learns at its full rate from the first step, to have a lead. The default
    weights are ESRGAN's (Wang et al. 2018): next to no pixel loss.
    """

    steps: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_steps: int = Field(default=200, ge=0)
    loss: Literal["vanilla", "relativistic"] = "relativistic"
    regularization: Literal["spectral_norm", "r1"] = "spectral_norm"
    pixel_weight: float = Field(default=0.01, ge=0)
    perceptual: Literal["alex", "vgg", "vgg19", "none"] = "alex"
    perceptual_weight: float = Field(default=1.0, ge=0)
    adversarial_weight: float = Field(default=0.005, ge=0)
    discriminator_channels: int = Field(default=32, ge=1)
    discriminator_learning_rate: float = Field(default=2e-4, gt=0)
    r1_weight: float = Field(default=1.0, ge=0)


@dataclass(frozen=True, config=_STRICT)
class Recipe:
    """The settings of one training: a pixel stage, then perhaps an adversarial one.

    ``architecture`` is ``srresnet`` (`SRResNet`, of ``blocks`` residual blocks) or ``plain`` (`PlainSR`, of ``blocks`` convolutions).
    ``start`` is a file of weights that the pixel stage begins with; empty: weights drawn from ``seed``.
    ``patch`` is in pixels of the small (LR) image, ``batch`` counts patches in a step over all devices. ``ema_decay`` is the decay
    of the exponential moving average of the weights, which is what is kept. ``precision``: ``auto`` is bfloat16 where that is
    faster, and is settled when a training begins. Every ``validate_every`` steps the quality on the validation photographs
    is measured. ``degradations`` lists degradations whose numbers may be ranges, as ``blur:0..4+noise:0..20``: every small patch is made
    through one of them, its levels drawn; without any it is clean.

    ``guidance`` ``ddr`` steers the network by the first ``guide_blocks`` blocks of the frozen SRResNet ``guide`` (see `GuidedSRResNet`),
    which is shown ``guide_margin`` pixels (whole cells of 8) around each small patch, since the more it sees the better it knows;
    to compare with, ``untrained`` by the same blocks with weights drawn anew, ``oracle`` by the true numbers of the degradation.
    """

    architecture: Literal["srresnet", "plain"] = "srresnet"
    global_residual: bool = True
    scale: Literal[1, 2, 3, 4] = 4
    channels: int = Field(default=64, ge=1)
    blocks: int = Field(default=16, ge=1)
    batch: int = Field(default=8, ge=1)
    patch: int = Field(default=24, ge=8)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    start: str = ""
    validate_every: int = Field(default=2_000, ge=1)
    degradations: tuple[str, ...] = ()
    guidance: Literal["none", "ddr", "untrained", "oracle"] = "none"
    guide: str = "srgan-wgr"
    guide_blocks: int = Field(default=8, ge=1)
    guide_margin: int = Field(default=8, ge=0, multiple_of=8)
    pixel: PixelStage = Field(default_factory=PixelStage)
    adversarial: AdversarialStage = Field(default_factory=AdversarialStage)

    def drawn(self) -> tuple[RandomPipeline, ...]:
        """``degradation`` as pipelines to draw from. Raises `InputError` for one that cannot be read, or not be shrunk by ``scale``."""
        pipelines = tuple(map(parse_random_pipeline, self.degradations))
        for pipeline in pipelines:
            pipeline.low.check_scale(self.scale)
        return pipelines


# Blur of all directions, noise and JPEG, alone and together, and clean images.
MIXED_DEGRADATIONS = (
    "clean",
    "blur:0..4",
    "aniso_blur:1..5,0.5..1.5,-90..90",
    "noise:0..25",
    "jpeg:30..95",
    "blur:0..4+noise:0..25",
    "noise:0..25+jpeg:30..95",
    "blur:0..4+noise:0..25+jpeg:30..95",
    "aniso_blur:1..5,0.5..1.5,-90..90+noise:0..25+jpeg:30..95",
)

RECIPES: dict[str, Recipe] = {
    # The paper's network, its steps cut to what a core with native bfloat16 does in four hours a stage.
    "compact": Recipe(adversarial=AdversarialStage(steps=10_000)),
    # A plain network of 80,000 parameters: a quarter of an hour on such a core.
    "quick": Recipe(
        architecture="plain",
        channels=32,
        blocks=8,
        pixel=PixelStage(steps=20_000, learning_rate=1e-3),
    ),
    # What the study trains several seeds of: some ten minutes a stage on one such core.
    "pilot": Recipe(
        channels=32,
        blocks=8,
        patch=20,
        pixel=PixelStage(steps=4_000),
        adversarial=AdversarialStage(steps=1_500),
    ),
    # Blind super-resolution steered by the degradation of its input; guidance=none makes its equal without. All blocks of the guide, since
    # the deepest know most of the degradation; beside a network of this size they cost half as much again.
    "blind-compact": Recipe(
        degradations=MIXED_DEGRADATIONS,
        guidance="ddr",
        guide_blocks=16,
        pixel=PixelStage(steps=6_000),
        adversarial=AdversarialStage(steps=2_000),
    ),
    # The same on a GPU.
    "blind-paper": Recipe(
        degradations=MIXED_DEGRADATIONS,
        guidance="ddr",
        guide_blocks=16,
        batch=16,
        patch=32,
        pixel=PixelStage(steps=500_000, learning_rate=2e-4),
        adversarial=AdversarialStage(steps=200_000, perceptual="vgg19", discriminator_channels=64),
    ),
    # The paper's own lengths, for a GPU; the adversarial stage is SRGAN's with VGG-19.
    "paper": Recipe(
        batch=16,
        patch=32,
        pixel=PixelStage(steps=1_000_000, learning_rate=2e-4, warmup_steps=0),
        adversarial=AdversarialStage(
            steps=400_000,
            loss="vanilla",
            perceptual="vgg19",
            discriminator_channels=64,
            discriminator_learning_rate=1e-4,
        ),
    ),
}


def make_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe called ``name``, or written in the TOML file of that name, with ``changes`` applied.

    Keys of ``changes`` are dotted (``pixel.steps``). A file may say ``base = "compact"`` and give only what differs; tables ``[pixel]`` and
    ``[adversarial]`` hold the stages. Raises `InputError` for an unknown recipe or key (the nearest is named) and for a value that
    does not fit.
    """
    if name.endswith(".toml"):
        try:
            given = read_toml(expand_path(name))
        except (OSError, ValueError) as error:
            raise InputError(
                f"recipe {expand_path(name)} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        base = _named(str(given.pop("base", "compact")))
    else:
        given, base = {}, _named(name)
    values = dataclasses.asdict(base)
    _merge(values, given)
    for key, value in (changes or {}).items():
        *tables, last = key.split(".")
        for table in reversed(tables):
            last, value = table, {last: value}
        _merge(values, {last: value})
    try:
        recipe = _adapter().validate_python(values)
    except ValidationError as error:
        raise InputError(_explain(error)) from None
    except RecursionError:
        raise InputError(
            f"recipe {name[:200]} is nested too deeply: it has tables pixel and adversarial, and none in these"
        ) from None
    recipe.drawn()
    try:
        as_toml(recipe).encode()
    except UnicodeEncodeError:
        raise InputError(
            "recipe: guide has bytes of no encoding in its name, so it cannot be written down: rename the file"
        ) from None
    return recipe


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a dictionary, values written as in TOML; a bare word is text."""
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise InputError(f"{text[:80]!r} is not of the form KEY=VALUE: write for instance pixel.steps=2000")
        try:
            changes[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            changes[key.strip()] = value
    return changes


def as_toml(recipe: Recipe) -> str:
    """The whole recipe as the text of a TOML file."""
    values = dataclasses.asdict(recipe)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"{key} = {_toml_value(value)}" for key, value in values.items() if key not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


@cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def _toml_value(value: bool | float | str | Sequence[str]) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, str):
        # TOML writes text as JSON does, but for one character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(name: str) -> Recipe:
    if name not in RECIPES:
        raise InputError(
            f"no recipe is called {name[:80]!r}{_nearest(name, RECIPES)}: choose one of {', '.join(RECIPES)}, or a .toml file"
        )
    return RECIPES[name]


def _merge(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _explain(error: ValidationError) -> str:
    """The first thing wrong with a recipe, in one line."""
    first = error.errors()[0]
    # A key of bytes without an encoding has no place.
    *tables, key = [str(part) for part in first["loc"]] or ["a key"]
    where = ".".join([*tables, key])
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        stage = {"pixel": PixelStage, "adversarial": AdversarialStage}.get(tables[0] if tables else "", Recipe)
        known = [field.name for field in dataclasses.fields(stage)]
        return f"a recipe has no key {where[:80]!r}{_nearest(key, known)}: it has {', '.join(known)}"
    try:
        shown = _short.repr(first["input"])
    except (ValueError, RecursionError):
        shown = "what is given"  # a number of thousands of digits has no text
    return f"recipe: {where} = {shown}: {first['msg'][0].lower()}{first['msg'][1:]}"


def _nearest(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""
