"""An identifier made of one compact network, which also estimates distortions in physical units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.features.precision import Precision, autocast, check_precision
from ddrscope.identification.calibration import PresenceCalibration, image_means, stretched, widened
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.identification.predictions import Details, Predictions
from ddrscope.identification.scales import SCALES, UNDAMAGED
from ddrscope.identification.tile_network import TileNetwork, TileOutputs
from ddrscope.results.vocabulary import ESTIMATES, LIKELY

# Tiles in one pass: more are no faster and need memory.
BATCH = 32


@dataclass(frozen=True)
class TrunkDescriptor:
    """Describes tiles by the features of a `TileNetwork`.

    Args:
        network: The network, in evaluation mode.
        precision: In which it is run: ``float32``, ``bfloat16`` or ``auto``.
    """

    network: TileNetwork
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_precision(self.precision)

    def describe(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The descriptors (N, D) of tiles (N, H, W, 3) in 0..1."""
        device = next(self.network.parameters()).device
        rows = []
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH])).permute(0, 3, 1, 2)
            batch = batch.to(device).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), autocast(self.precision, device):
                rows.append(self.network.features(_even(batch)).float().cpu().numpy())
        return np.concatenate(rows)

    def widths(self) -> list[int]:
        """The lengths of the parts of a descriptor: statistics, and products of channels."""
        return list(self.network.sizes)


@dataclass
class CompactIdentifier:
    """Reads the descriptors of a `TrunkDescriptor` with the same network's heads.

    Args:
        network: The network, in evaluation mode.
        types: The names of the distortions, without clean.
        presence: Turns logits into probabilities.
        level_widening: By how much intervals of levels are widened, ().
        estimate_stretch: By which factor those of each estimate are stretched, on its scale, (P,).
        novelty: Fitted to hidden units.
        clean_share: The share of clean images to expect.
    """

    network: TileNetwork
    types: tuple[str, ...]
    presence: PresenceCalibration
    level_widening: Tensor
    estimate_stretch: Tensor
    novelty: NoveltyMeasure
    clean_share: float = 0.5

    def expected(self, descriptors: NDArray[np.float32]) -> NDArray[np.float64]:
        """What is expected of each of `ESTIMATES` in one image, (P,): a mean over whether there is such damage.

        It changes evenly with an image, where an estimate jumps as soon as damage becomes likely. NaN for those without
        a value in undamaged images.
        """
        outputs, _ = read_descriptors(self.network, descriptors)
        merged = merge_tiles(outputs, np.zeros(len(descriptors), int))
        damage, middle = merged.damage[0].double().sigmoid(), merged.estimates[0, :, 1].double()
        values = torch.stack([SCALES[name].inverse(middle[i]) for i, name in enumerate(ESTIMATES)])
        undamaged = torch.tensor([UNDAMAGED.get(name, torch.nan) for name in ESTIMATES], dtype=torch.float64)
        return (damage * values + (1 - damage) * undamaged).numpy()

    def predict_all(self, descriptors: NDArray[np.float32], images: NDArray[np.int64] | None = None) -> Predictions:
        """Probabilities, levels, novelty and details of images, as `DistortionIdentifier.predict_all`."""
        members = np.arange(len(descriptors)) if images is None else np.unique(images, return_inverse=True)[1]
        outputs, hidden = read_descriptors(self.network, descriptors)
        merged = merge_tiles(outputs, members)
        estimates, damage = stretched(merged.estimates, self.estimate_stretch), merged.damage.double().sigmoid()
        return Predictions(
            self.presence.probabilities(merged.presence, self.clean_share).numpy(),
            widened(merged.levels, self.level_widening).clamp(1, 5).numpy(),
            self.novelty.score(hidden, members),
            Details(
                np.stack(
                    [with_undamaged(name, estimates[:, i], damage[:, i]).numpy() for i, name in enumerate(ESTIMATES)], 1
                ),
                (torch.rad2deg(torch.atan2(merged.direction[:, 1], merged.direction[:, 0])) / 2 % 180).numpy(),
                merged.answers.sigmoid().numpy(),
                merged.interpolation.softmax(1).numpy(),
            ),
        )


def read_descriptors(network: TileNetwork, descriptors: NDArray[np.float32]) -> tuple[TileOutputs, Tensor]:
    """The outputs for tiles, and their hidden units (N, H), from their descriptors (N, D)."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        hidden = network.hide(torch.from_numpy(descriptors).to(device))
        outputs = network.read_hidden(hidden)
    return TileOutputs(**{name: value.float().cpu() for name, value in vars(outputs).items()}), hidden.cpu()


def merge_tiles(outputs: TileOutputs, images: NDArray[np.int64]) -> TileOutputs:
    """The outputs of images from those of their tiles: means; of estimates, tiles that are surer count more."""
    widths = (outputs.estimates[..., 2] - outputs.estimates[..., 0]).clamp(min=0.02)
    weights = (1 / widths.square())[..., None]
    return TileOutputs(
        presence=image_means(outputs.presence, images),
        levels=image_means(outputs.levels, images),
        estimates=image_means(outputs.estimates * weights, images) / image_means(weights, images),
        damage=image_means(outputs.damage, images),
        direction=image_means(outputs.direction, images),
        answers=image_means(outputs.answers, images),
        interpolation=image_means(outputs.interpolation, images),
    )


def with_undamaged(name: str, quantiles: Tensor, damage: Tensor) -> Tensor:
    """Quantiles of an estimate, in its unit, from those if there is damage and the probability that there is.

    What is known is a mixture of a value, that of an undamaged image, and a distribution: its ends are those of the
    distribution or that value, whichever has a tenth of the probability beyond it.

    Args:
        name: One of `ESTIMATES`.
        quantiles: On its scale, (N, 3).
        damage: The probability of damage, (N,).
    """
    values = SCALES[name].inverse(quantiles)
    if name not in UNDAMAGED:
        return values
    undamaged = torch.full_like(damage, UNDAMAGED[name])
    low, middle, high = values.unbind(1)
    near, far = damage >= 0.9, damage > 0.1
    middle = torch.where(damage >= LIKELY, middle, undamaged)
    # On either side of the middle: the side of the undamaged value is reached first.
    low = torch.where(torch.where(low < undamaged, far, near), low, undamaged)
    high = torch.where(torch.where(high > undamaged, far, near), high, undamaged)
    return torch.stack([torch.minimum(low, middle), middle, torch.maximum(high, middle)], 1)


def _even(tiles: Tensor) -> Tensor:
    """Tiles with a multiple of 8 pixels a side, as the network needs: of a smaller image the last ones are cut off."""
    height, width = (length // 8 * 8 for length in tiles.shape[2:])
    return tiles[:, :, :height, :width]
