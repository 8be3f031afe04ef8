"""Recipes: all settings that decide the result of a training, typed and with defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ddrscope.degradations import DegradationRecipe, RandomPipeline, parse_random_pipeline
from ddrscope.errors import InputError
from ddrscope.io.paths import expand_path

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=_STRICT)
class PixelStage:
    """The first stage, with the mean absolute difference of the pixels as loss.

    Attributes:
        steps: Number of steps.
        learning_rate: Highest learning rate. It then falls along half a cosine to zero at the last step.
        warmup_steps: Steps over which the learning rate rises linearly.
    """

    steps: int = Field(default=40_000, ge=1)
    learning_rate: float = Field(default=4e-4, gt=0)
    warmup_steps: int = Field(default=200, ge=0)


@dataclass(frozen=True, config=_STRICT)
class AdversarialStage:
    """The second stage, which trains an SRGAN from the averaged weights of the first stage.

    The generator minimizes ``pixel_weight`` * mean absolute difference + ``perceptual_weight`` * perceptual distance +
    ``adversarial_weight`` * adversarial loss. The default weights follow ESRGAN (Wang et al. 2018). At the output, the
    gradient of the adversarial loss is about a thousand times that of the pixel loss, that of the perceptual loss
    about twenty times.

    Attributes:
        steps: Number of steps; 0: no adversarial stage.
        learning_rate: Highest learning rate of the generator.
        warmup_steps: Steps over which the generator's learning rate rises. The discriminator learns at its full rate
            from the first step.
        loss: ``vanilla`` (Goodfellow et al. 2014, the non-saturating form) or ``relativistic`` (the paired form of
            Jolicoeur-Martineau 2018).
        regularization: Of the discriminator: ``spectral_norm``, or ``r1``, a gradient penalty at real images
            (Mescheder et al. 2018).
        pixel_weight: Weight of the mean absolute difference.
        perceptual: The perceptual network: ``alex`` or ``vgg`` (ST-LPIPS, from stlpips-pytorch), ``vgg19``
            (torchvision's weights), or ``none``.
        perceptual_weight: Weight of the perceptual distance.
        adversarial_weight: Weight of the adversarial loss.
        discriminator_channels: Width of the discriminator.
        discriminator_learning_rate: Highest learning rate of the discriminator.
        r1_weight: Weight of the penalty, of which half is applied.
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
    """The settings of a training: a pixel stage, optionally followed by an adversarial stage.

    Attributes:
        architecture: ``srresnet`` (`SRResNet` of ``blocks`` residual blocks) or ``plain`` (`PlainSR` of ``blocks``
            convolutions).
        global_residual: Whether the network adds its enlarged input to its output.
        scale: Factor by which the network enlarges.
        channels: Width of the network.
        blocks: Depth of the network.
        batch: Patches in a step, over all devices.
        patch: Side of a patch in LR pixels.
        ema_decay: Decay of the exponential moving average of the weights. The averaged weights are the result.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster when the training begins.
        seed: Seed of weights and patches.
        start: File of weights with which the pixel stage begins; empty: random weights.
        validate_every: Steps between two measurements of the quality on the validation photographs.
        degradations: Degradations whose numbers may be ranges, as ``blur:0..4+noise:0..20``. Each LR patch is degraded
            by a random one of them with random levels; none: patches are clean.
        degradation_recipe: Instead of them: the file ``recipe.json`` of `ddrscope.match`. Each LR patch draws a chain.
        guidance: ``ddr`` steers the network by the first ``guide_blocks`` blocks of the frozen SRResNet ``guide`` (see
            `GuidedSRResNet`). Controls: ``untrained`` by the same blocks with random weights, ``oracle`` by the true
            levels of the degradation.
        guide: Name of the guide.
        guide_blocks: How many of its blocks are used.
        guide_margin: LR pixels around each patch that the guide sees, a multiple of 8. With more context it recognizes
            the degradation better.
        pixel: The pixel stage.
        adversarial: The adversarial stage.
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
    degradation_recipe: str = ""
    guidance: Literal["none", "ddr", "untrained", "oracle"] = "none"
    guide: str = "srgan-wgr"
    guide_blocks: int = Field(default=8, ge=1)
    guide_margin: int = Field(default=8, ge=0, multiple_of=8)
    pixel: PixelStage = Field(default_factory=PixelStage)
    adversarial: AdversarialStage = Field(default_factory=AdversarialStage)

    def distributions(self) -> tuple[RandomPipeline | DegradationRecipe, ...]:
        """What LR patches are degraded by, each by a random one of these; none: patches are clean.

        Raises:
            InputError: A degradation is invalid or does not allow shrinking by ``scale``, or the file cannot be used.
        """
        if self.degradation_recipe:
            return (self._matched_recipe(),)
        pipelines = tuple(map(parse_random_pipeline, self.degradations))
        for pipeline in pipelines:
            pipeline.low.check_scale(self.scale)
        return pipelines

    def _matched_recipe(self) -> DegradationRecipe:
        if self.degradations:
            raise InputError(
                "recipe: degradations and degradation_recipe are given: give degradations=[] or degradation_recipe=''"
            )
        if self.guidance == "oracle":
            raise InputError("recipe: guidance=oracle knows no degradation_recipe: give degradations")
        recipe = DegradationRecipe.load(expand_path(self.degradation_recipe))
        if recipe.scale != self.scale:
            raise InputError(
                f"recipe: {self.degradation_recipe} is for scale {recipe.scale}, not {self.scale}: give scale={recipe.scale}"
            )
        return recipe


# Isotropic and anisotropic blur, noise and JPEG, alone and combined, and clean images.
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
    # The paper's network, with as many steps as a core with native bfloat16 does in four hours a stage.
    "compact": Recipe(adversarial=AdversarialStage(steps=10_000)),
    # A plain network of 80,000 parameters: 15 minutes on such a core.
    "quick": Recipe(
        architecture="plain",
        channels=32,
        blocks=8,
        pixel=PixelStage(steps=20_000, learning_rate=1e-3),
    ),
    # For several seeds in the study: about ten minutes a stage on one such core.
    "pilot": Recipe(
        channels=32,
        blocks=8,
        patch=20,
        pixel=PixelStage(steps=4_000),
        adversarial=AdversarialStage(steps=1_500),
    ),
    # Blind super-resolution steered by the degradation of its input; guidance=none gives the same network without. All
    # blocks of the guide are used, since the deepest know most about the degradation; they add half of the network's
    # time.
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
    # The paper's number of steps, for a GPU; the adversarial stage is SRGAN's with VGG-19.
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
