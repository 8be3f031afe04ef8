"""The opponent of adversarial training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

# Detail is what differs from the means of squares of so many pixels a side; spread a little.
COARSE = 4
SPREAD = 4


class PatchDiscriminator(nn.Module):
    """Judges the detail at every place of an image: real or made by a network.

    What both have in common, the small image they stem from, is taken away first: shown whole images, the discriminator
    was still guessing after 600 steps, shown their detail it could tell within 50. Takes (B, 3, H, W) in 0..1, H and W multiples of
    8, and returns logits (B, 1, H/8, W/8). ``spectral`` divides each weight by its largest singular value, which bounds the slope
    of the logits: with a last layer left free they grew without end and the generator with them. Source: the patch
    discriminator of Isola et al. 2017; Miyato et al. 2018 (spectral normalization).
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
        return self.layers(SPREAD * (images - coarse))
