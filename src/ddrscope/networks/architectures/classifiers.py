"""What classification networks have in common: inputs of one size, and the normalization of ImageNet."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

# Of the red, green and blue pixels of ImageNet in 0..1, as in torchvision.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def resized(x: Tensor, side: int) -> Tensor:
    """Images (B, C, H, W) at side x side pixels: bicubic with antialiasing; those of this size as they are."""
    if x.shape[-2:] == (side, side):
        return x
    return functional.interpolate(x, size=(side, side), mode="bicubic", antialias=True, align_corners=False)


def normalized(x: Tensor) -> Tensor:
    """Images (B, 3, H, W) in 0..1 less the mean of ImageNet, over its standard deviation."""
    mean, deviation = (x.new_tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _DEVIATION))
    return (x - mean) / deviation


def classifier_note(side: int, last: str) -> str:
    """The sentence for a report.

    Args:
        side: Side of the input in pixels.
        last: What the last layer is.
    """
    return (
        f"A classification network: images are degraded at their own size and resized to {side} pixels; "
        f"its last layer is {last}."
    )
