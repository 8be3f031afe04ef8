"""The ResNets for CIFAR, classifiers of images of 32 pixels: a comparison to super-resolution."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.architectures.classifiers import classifier_note, normalized, resized

SIDE = 32
_KEYS = {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer1.0.bn2.weight", "linear.weight"}
# Each but the first halves the map: 32 pixels allow six.
_MAX_STAGES = 6


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch normalization, added to the input, with ReLU.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        stride: Of the first convolution.
        projected: The input is projected by a 1x1 convolution where the shapes differ; otherwise it is subsampled, and
            channels of zeros are put before and after its own.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.stride, self.added = stride, outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if projected:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + self._skip(x)).relu()

    def _skip(self, x: Tensor) -> Tensor:
        if len(self.shortcut):
            projected: Tensor = self.shortcut(x)
            return projected
        before = self.added // 2
        subsampled = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(subsampled, (0, 0, 0, 0, before, self.added - before))


class CifarResNet(nn.Module):
    """A ResNet for CIFAR under the weight names of its common PyTorch ports.

    Maps (B, 3, H, W) in 0..1, resized to 32 x 32 (bicubic with antialiasing), to logits (B, classes). Source: He et
    al. 2016 (arXiv 1512.03385), section 4.2.

    Args:
        stem: Channels of the first convolution.
        widths: Channels of each stage; all but the first stage halve the map.
        blocks: Blocks of each stage.
        projected: Whether the first block of each stage projects its input.
        classes: Classes.
    """

    def __init__(
        self,
        stem: int = 16,
        widths: Sequence[int] = (16, 32, 64),
        blocks: Sequence[int] = (3, 3, 3),
        projected: Sequence[bool] = (False, False, False),
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        channels, self.stages = stem, len(widths)
        for index, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            stage: list[nn.Module] = []
            for number in range(count):
                first = number == 0
                stage.append(BasicBlock(channels, width, 2 if first and index else 1, first and projected[index]))
                channels = width
            self.add_module(f"layer{index + 1}", nn.Sequential(*stage))
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(normalized(resized(x, SIDE)))).relu()
        for index in range(self.stages):
            x = self.get_submodule(f"layer{index + 1}")(x)
        logits: Tensor = self.linear(x.mean(dim=(2, 3)))
        return logits


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    stages = [f"layer{n}" for n in range(1, _MAX_STAGES + 1) if f"layer{n}.0.conv1.weight" in state]
    widths = [state[f"{stage}.0.conv1.weight"].shape[0] for stage in stages]
    blocks = [count_blocks(state, f"{stage}.") for stage in stages]
    projected = [f"{stage}.0.shortcut.0.weight" in state for stage in stages]
    stem, classes = state["conv1.weight"].shape[0], state["linear.weight"].shape[0]
    names = [f"{stage}.{n}" for stage, count in zip(stages, blocks, strict=True) for n in range(count)]
    return ModelSpec(
        state=state,
        build=lambda _: CifarResNet(stem, widths, blocks, projected, classes),
        scale=1,
        channels=3,
        layers=(*names, "linear:input"),
        notes=(classifier_note(SIDE, "a vector"),),
    )


ARCHITECTURE = Architecture("CIFAR ResNet", _matches, _read, CifarResNet)
