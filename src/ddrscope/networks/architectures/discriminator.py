"""The discriminator of adversarial training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

# Detail is the difference to the means over squares of so many pixels a side, multiplied by `GAIN`.
COARSE = 4
GAIN = 4


class PatchDiscriminator(nn.Module):
    """Judges the detail at every place of an image: real or generated.

    Maps (B, 3, H, W) in 0..1, H and W multiples of 8, to logits (B, 1, H/8, W/8). Real and generated images share their
    coarse content, which is subtracted first: on whole images the discriminator still guessed after 600 steps, on their
    detail it could tell them apart within 50. Sources: Isola et al. 2017 (patch discriminator); Miyato et al. 2018
    (spectral normalization).

    Args:
        channels: Channels of the first layer; doubled three times.
        spectral: Divide each weight by its largest singular value, which bounds the slope of the logits. With an
            unconstrained last layer, the logits grew without limit, and the generator diverged.
    """

    def __init__(self, channels: int = 32, spectral: bool = True) -> None:
        super().__init__()

        def normalized(layer: nn.Conv2d) -> nn.Module:
            return spectral_norm(layer) if spectral else layer

        layers: list[nn.Module] = [normalized(nn.Conv2d(3, channels, 3, 1, 1)), nn.LeakyReLU(0.2)]
        for _ in range(3):
            layers += [normalized(nn.Conv2d(channels, 2 * channels, 4, 2, 1)), nn.LeakyReLU(0.2)]
            channels *= 2
        layers += [normalized(nn.Conv2d(channels, channels, 3, 1, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, normalized(nn.Conv2d(channels, 1, 3, 1, 1)))

    def forward(self, images: Tensor) -> Tensor:
        coarse = functional.avg_pool2d(images, COARSE)
        coarse = functional.interpolate(coarse, scale_factor=COARSE, mode="bilinear", align_corners=False)
        logits: Tensor = self.layers(GAIN * (images - coarse))
        return logits
