from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ddrscope.errors import InputError
from ddrscope.features import (
    LayerName,
    NonFiniteFeatures,
    all_layers,
    capture,
    choose_batch,
    collect_features,
    default_layers,
    execution,
    find_channels_dim,
    pool_features,
    resolve_layers,
    to_channels_first,
)


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.conv1(x)))


class SmallCnn(nn.Module):
    """x2 super-resolution with in-place activations and a batch norm."""

    def __init__(self, channels: int = 6, blocks: int = 3) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.body = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        self.up = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.lrelu = nn.LeakyReLU(0.1, inplace=True)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)
        self.unused = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.norm(self.head(x)))
        return self.conv_last(self.lrelu(self.shuffle(self.up(x))))


class Recurrent(nn.Module):
    """Calls one cell as often as the mean of the batch says (a recurrent network), in two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)
        self.cell = Block(4)
        self.dark = nn.Conv2d(4, 3, 1)
        self.bright = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = 2 if x.mean() < 0.5 else 4
        y = self.head(x)
        for _ in range(steps):
            y = checkpoint(self.cell, y, use_reentrant=False)
        return self.dark(y) if steps == 2 else self.bright(y)


class Pair(nn.Module):
    """Gives a dictionary holding a tuple; takes its input as a keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)

    def forward(self, *, picture: Tensor) -> dict[str, Any]:
        return {"index": torch.arange(3), "maps": (None, self.conv(picture), picture)}


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.inner, x)


def swinir() -> nn.Module:
    from spandrel.architectures.SwinIR import SwinIR

    return SwinIR(
        img_size=16,
        embed_dim=12,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        mlp_ratio=2,
        upscale=2,
        upsampler="pixelshuffle",
    ).eval()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def cnn() -> SmallCnn:
    return SmallCnn().eval()


@pytest.fixture
def batch() -> Tensor:
    return torch.rand(3, 3, 12, 16)


def hook_count(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


# --- names


@pytest.mark.parametrize("text", ["body.3", "conv_last:input", "cell#2", "cell#12:input", "layers.*", "cell#*"])
def test_layer_text_survives_parsing(text: str) -> None:
    assert str(LayerName.parse(text)) == text


def test_first_call_needs_no_suffix() -> None:
    assert str(LayerName.parse("cell#1:input")) == "cell:input"


def test_globs_stay_within_one_level(cnn: SmallCnn, batch: Tensor) -> None:
    assert resolve_layers(cnn, ["body.*"], batch) == ["body.0", "body.1", "body.2"]
    assert resolve_layers(cnn, ["body.[02].conv?"], batch) == [
        "body.0.conv1",
        "body.0.conv2",
        "body.2.conv1",
        "body.2.conv2",
    ]


# --- resolving


def test_resolved_layers_are_in_forward_order(cnn: SmallCnn, batch: Tensor) -> None:
    asked = ["conv_last:input", "body.1", "head", "body.0:input"]
    assert resolve_layers(cnn, asked, batch) == ["head", "body.0:input", "body.1", "conv_last:input"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("bodi.1", "body.1"),
        ("conv_lost:input", "conv_last"),
        ("unused", "does not call it"),
        ("head#2", "not that often"),
        ("tail.*", "no such layer"),
        ("", "no layer name"),
    ],
)
def test_a_layer_that_is_not_there_is_an_input_error(cnn: SmallCnn, batch: Tensor, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        resolve_layers(cnn, [pattern], batch)
    assert "\n" not in str(error.value)


def test_names_of_one_tensor_are_listed_once(cnn: SmallCnn, batch: Tensor) -> None:
    everything = resolve_layers(cnn, ["body", "body.*", "body.*:input", "up:input"], batch)
    assert everything == ["body.0:input", "body.0", "body.1", "body"]
    assert resolve_layers(cnn, ["up:input", "body", "body.*"], batch)[-1] == "up:input"
    # Outermost wins among globs: `body` has fewer levels than `body.2`.
    assert resolve_layers(cnn, ["body.*", "bod?"], batch) == ["body.0", "body.1", "body"]


def test_an_in_place_activation_is_another_layer_than_its_input(cnn: SmallCnn, batch: Tensor) -> None:
    layers = ["body.0.conv1", "body.0.act"]
    assert resolve_layers(cnn, layers, batch) == layers
    features = capture(cnn, batch, layers)
    assert features["body.0.conv1"].min() < 0 <= features["body.0.act"].min()
    torch.testing.assert_close(features["body.0.conv1"].relu(), features["body.0.act"], rtol=0, atol=0)


class Copy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def test_reused_memory_is_not_taken_for_the_same_tensor() -> None:
    picture = torch.rand(1, 3, 256, 256)
    chain = nn.Sequential(*[Copy() for _ in range(6)])
    assert len(resolve_layers(chain, ["*"], picture)) == 6


def test_an_alias_is_refused_with_the_first_name(batch: Tensor) -> None:
    block = nn.Conv2d(3, 3, 1)
    chain = nn.Sequential(block, block)
    assert resolve_layers(chain, ["0#*"], batch) == ["0", "0#2"]
    with pytest.raises(InputError, match="same module as '0'"):
        resolve_layers(chain, ["1"], batch)


# --- capturing


def forward_pieces(cnn: SmallCnn, x: Tensor) -> dict[str, Tensor]:
    """The layers of SmallCnn without any hook, out of place."""
    with torch.no_grad():
        pieces = {"head": cnn.head(x)}
        y = cnn.norm(pieces["head"])
        for index, block in enumerate(cnn.body):
            y = y + block.conv2(block.conv1(y).relu())
            pieces[f"body.{index}"] = y
        pieces["conv_last:input"] = nn.functional.leaky_relu(cnn.shuffle(cnn.up(y)), 0.1)
    return pieces


def test_captures_equal_a_computation_without_hooks(cnn: SmallCnn, batch: Tensor) -> None:
    expected = forward_pieces(cnn, batch)
    features = capture(cnn, batch, list(expected))
    for layer, tensor in expected.items():
        assert torch.equal(features[layer], tensor), layer


def test_a_layer_that_is_named_twice_is_captured_once_under_both_names(cnn: SmallCnn, batch: Tensor) -> None:
    found = capture(cnn, batch, ["body.0", "body.0#1", "body.0"])
    assert list(found) == ["body.0", "body.0#1"] and torch.equal(found["body.0"], found["body.0#1"])
    assert collect_features(cnn, [batch], ["body.0", "body.0"], ["pooled"])["body.0", "pooled"].shape[0] == len(batch)


@pytest.mark.parametrize("build", [SmallCnn, Recurrent, swinir])
def test_early_stop_is_bit_equal_to_the_full_run(build: Callable[[], nn.Module]) -> None:
    module, x = build(), torch.rand(2, 3, 16, 16)
    layers = [layer.name for layer in all_layers(module, x)]
    full = capture(module, x, layers, stop_early=False)
    for layer in layers:
        assert torch.equal(capture(module, x, [layer])[layer], full[layer]), layer


def test_the_forward_pass_stops_after_the_last_wanted_layer(cnn: SmallCnn, batch: Tensor) -> None:
    ran: list[str] = []
    for name in ("body.0", "body.1", "conv_last"):
        cnn.get_submodule(name).register_forward_pre_hook(lambda _module, _args, name=name: ran.append(name))
    capture(cnn, batch, ["body.0"])
    assert ran == ["body.0"]
    ran.clear()
    capture(cnn, batch, ["body.0"], stop_early=False)
    assert ran == ["body.0", "body.1", "conv_last"]


def test_a_network_that_catches_exceptions_cannot_swallow_the_stop(cnn: SmallCnn, batch: Tensor) -> None:
    def forgiving(inner: nn.Module, x: Tensor) -> Tensor:
        try:
            return inner(x)
        except Exception:
            pytest.fail("the stop was caught inside the network")

    assert capture(Wrapped(cnn, forgiving), batch, ["inner.body.0"])["inner.body.0"].shape == (3, 6, 12, 16)


def test_calls_of_a_reused_module_under_checkpoint_and_branches(batch: Tensor) -> None:
    module = Recurrent().eval()
    dark, bright = batch * 0.1, batch * 0.1 + 0.9
    assert resolve_layers(module, ["cell#*", "dark"], dark) == ["cell", "cell#2", "dark"]
    assert resolve_layers(module, ["cell#*"], bright) == ["cell", "cell#2", "cell#3", "cell#4"]
    with torch.no_grad():
        expected = module.head(bright)
        for _ in range(3):
            expected = module.cell(expected)
    assert torch.equal(capture(module, bright, ["cell#3"])["cell#3"], expected)
    assert torch.equal(capture(module, bright, ["cell#4:input"])["cell#4:input"], expected)
    with pytest.raises(InputError, match=r"'cell#3'.*called 'cell' 2 times"):
        capture(module, dark, ["cell#3"])
    with pytest.raises(InputError, match="'bright'.*0 times"):
        capture(module, dark, ["bright"])


def test_nested_outputs_and_keyword_inputs(batch: Tensor) -> None:
    pair = Pair()
    module = Wrapped(pair, lambda inner, x: inner(picture=x)["maps"][1])
    features = capture(module, batch, ["inner", "inner:input"])
    with torch.no_grad():
        assert torch.equal(features["inner"], pair.conv(batch))
    assert torch.equal(features["inner:input"], batch)


def test_the_module_is_left_as_it_was(batch: Tensor) -> None:
    def failing(inner: nn.Module, x: Tensor) -> Tensor:
        inner(x)
        raise ZeroDivisionError

    module = Wrapped(SmallCnn(), failing).train()
    module.inner.body.eval()
    flags = [m.training for m in module.modules()]
    statistics = module.inner.norm.running_mean.clone()
    for call in (
        lambda: capture(module, batch, ["inner.body.0"]),
        lambda: pytest.raises(ZeroDivisionError, capture, module, batch, ["inner.head"], stop_early=False),
        lambda: pytest.raises(InputError, capture, module, batch, ["inner.nothing"]),
        lambda: pytest.raises(ZeroDivisionError, all_layers, module, batch),
    ):
        call()
        assert [m.training for m in module.modules()] == flags
        assert hook_count(module) == 0
    assert torch.equal(module.inner.norm.running_mean, statistics)


def test_run_stands_for_the_call(cnn: SmallCnn, batch: Tensor) -> None:
    bytes_wanted = capture(cnn, batch, ["head"], run=lambda x: cnn(x * 255))["head"]
    assert torch.equal(bytes_wanted, capture(cnn, batch * 255, ["head"])["head"])


# --- shapes and views


@pytest.mark.parametrize(
    ("shape", "size", "module", "axis"),
    [
        ((2, 64, 12, 16), (12, 16), None, 1),
        ((2, 12, 16, 64), (12, 16), None, 3),
        ((2, 24, 32, 64), (12, 16), None, 3),
        ((2, 16, 16, 60), (16, 16), None, 3),
        ((2, 60, 16, 16), (16, 16), None, 1),
        ((2, 16, 16, 16), (16, 16), None, 1),
        ((2, 16, 16, 16), (16, 16), nn.Linear(16, 16), 3),
        ((2, 8, 4, 60), (8, 4), nn.Conv2d(1, 8, 1), 1),
        ((2, 64, 1, 1), (12, 16), None, 1),
        ((2, 192, 64), (12, 16), None, 2),
        ((2, 64, 192), (12, 16), None, 1),
        ((2, 1000), (12, 16), None, 1),
        ((2, 32, 5, 12, 16), (12, 16), None, 1),
        ((2, 5, 12, 16, 32), (12, 16), None, 4),
    ],
)
def test_the_channels_axis(shape: tuple[int, ...], size: tuple[int, int], module: nn.Module | None, axis: int) -> None:
    assert find_channels_dim(shape, size, module) == axis


def test_channels_first_of_a_vector_and_refusals(batch: Tensor) -> None:
    assert to_channels_first(torch.rand(3), batch).shape == (3, 1, 1)
    with pytest.raises(InputError, match="does not begin with the batch of 3"):
        to_channels_first(torch.rand(12, 64, 8), batch)


def test_transformer_tokens_and_maps_hold_the_same_features() -> None:
    module, x = swinir(), torch.rand(2, 3, 16, 8)
    layers = ["layers.1", "norm", "patch_unembed", "conv_after_body:input", "layers.1.residual_group.blocks.0"]
    resolved = resolve_layers(module, layers, x)
    assert "patch_unembed" in resolved and "conv_after_body:input" not in resolved  # one tensor
    features = collect_features(module, [x], resolved, precision="float32")
    assert features["layers.1", "flattened"].shape == (2, 12 * 16 * 8)
    assert features["layers.1", "pooled"].shape == (2, 24)
    # (B, N, C) tokens and the (B, C, H, W) map made of them
    for view in ("flattened", "pooled"):
        tokens, maps = (features[layer, view].to_numpy() for layer in ("norm", "patch_unembed"))
        np.testing.assert_allclose(tokens, maps, atol=1e-6)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pooling_against_numpy(memory_format: torch.memory_format, dtype: torch.dtype) -> None:
    # A mean far above the spread, where E[x^2] - E[x]^2 in float32 would fail.
    x = (torch.randn(3, 5, 40, 30) + 1000).to(dtype).contiguous(memory_format=memory_format)
    exact = x.double().numpy()
    expected = np.concatenate([exact.mean(axis=(2, 3)), exact.std(axis=(2, 3))], axis=1)
    pooled = pool_features(to_channels_first(x, x))
    assert pooled.dtype == torch.float32
    np.testing.assert_allclose(pooled.numpy(), expected, rtol=2e-5)


# --- collecting


def test_rows_are_the_pictures_in_order_and_in_channel_height_width_order(cnn: SmallCnn, batch: Tensor) -> None:
    features = collect_features(cnn, batch.split(2), ["body.1"], precision="float32")
    expected = forward_pieces(cnn, batch)["body.1"].numpy()
    np.testing.assert_allclose(features["body.1", "flattened"].to_numpy(), expected.reshape(3, -1), atol=1e-5)
    pooled = np.concatenate([expected.mean(axis=(2, 3)), expected.std(axis=(2, 3))], axis=1)
    np.testing.assert_allclose(features["body.1", "pooled"].to_numpy(), pooled, atol=1e-5)


def test_disk_and_memory_hold_the_same_matrix(cnn: SmallCnn, batch: Tensor, tmp_path: Path) -> None:
    layers = ["body.0", "conv_last:input"]
    in_memory = collect_features(cnn, batch.split(1), layers, precision="float32")
    on_disk = collect_features(
        cnn, batch.split(1), layers, precision="float32", folder=tmp_path, in_memory_bytes=2 * 4 * 6 * 12 * 16
    )
    assert isinstance(on_disk["body.0", "flattened"]._data, np.memmap)
    assert not isinstance(in_memory["body.0", "flattened"]._data, np.memmap)
    assert list(tmp_path.iterdir()) == []  # nameless: nothing to clean up, whatever happens
    for key, matrix in in_memory.items():
        whole = matrix.to_numpy()
        other = on_disk[key]
        assert other.shape == whole.shape and whole.dtype == np.float32
        np.testing.assert_array_equal(other.to_numpy(), whole)
        blocks = list(other.column_blocks(width=7))
        assert {block.shape[1] for block in blocks[:-1]} <= {7}
        np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)
        np.testing.assert_array_equal(np.concatenate(list(matrix.column_blocks()), axis=1), whole)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_row_does_not_depend_on_its_neighbours(batch: Tensor, precision: Any) -> None:
    module = SmallCnn().train()
    together = collect_features(module, [batch], ["body.2"], precision=precision)
    alone = collect_features(module, batch.flip(0).split(1), ["body.2"], precision=precision)
    for key, matrix in together.items():
        np.testing.assert_allclose(alone[key].to_numpy()[::-1], matrix.to_numpy(), atol=1e-5)


def test_auto_is_float32_where_bfloat16_is_no_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    native = any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    times = {torch.float32: 1.0, torch.bfloat16: 0.9}
    for capable, quick, expected in ((True, 0.9, False), (True, 0.5, True), (False, 0.5, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda capable=capable: {"avx512_bf16": capable})
        times[torch.bfloat16] = quick
        monkeypatch.setattr(execution, "_seconds", times.get)
        execution.is_bfloat16_faster.cache_clear()
        assert execution.is_bfloat16_faster(cpu) is expected
    monkeypatch.undo()
    execution.is_bfloat16_faster.cache_clear()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert execution.is_bfloat16_faster(cpu) in ((True, False) if native else (False,))
    assert torch.equal(torch.get_rng_state(), before)


def test_bfloat16_is_near_float32_but_not_it(cnn: SmallCnn, batch: Tensor) -> None:
    half, single = (
        collect_features(cnn, [batch], ["body.2"], ["pooled"], precision=precision)["body.2", "pooled"].to_numpy()
        for precision in ("bfloat16", "float32")
    )
    assert 1e-6 < np.abs(half - single).max() < 0.05


def test_a_network_that_needs_contiguous_tensors_gets_them(batch: Tensor) -> None:
    def flat(inner: nn.Module, x: Tensor) -> Tensor:
        return inner(x.view(len(x), -1).view(x.shape))

    module = Wrapped(nn.Conv2d(3, 4, 1), flat)
    with pytest.raises(RuntimeError, match="view"):
        module(batch.contiguous(memory_format=torch.channels_last))
    assert collect_features(module, [batch], ["inner"])["inner", "pooled"].shape == (3, 8)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("view", ["flattened", "pooled"])
def test_features_that_are_not_finite_name_layer_and_row(cnn: SmallCnn, batch: Tensor, value: float, view: str) -> None:
    batch[2, 1, 5, 5] = value
    with pytest.raises(NonFiniteFeatures, match="body.0") as error:
        collect_features(cnn, batch.split(2), ["body.0"], [view], precision="float32")
    assert (error.value.layer, error.value.row) == ("body.0", 2)


def test_sizes_may_differ_in_the_pooled_view_only(cnn: SmallCnn, batch: Tensor) -> None:
    batches = [batch, batch[:, :, :8]]
    assert collect_features(cnn, batches, ["body.0"], ["pooled"])["body.0", "pooled"].shape == (6, 12)
    with pytest.raises(InputError, match=r"layer 'body.0': row 3 .*crop the pictures.*pooled"):
        collect_features(cnn, batches, ["body.0"])


def test_collecting_refuses_what_it_cannot_do(cnn: SmallCnn, batch: Tensor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        collect_features(cnn, [], ["head"])
    with pytest.raises(InputError, match="nearest names: head"):
        collect_features(cnn, [batch], ["heat"])
    with pytest.raises(InputError, match="cannot hold the temporary features"):
        collect_features(cnn, [batch], ["head"], folder=tmp_path / "missing", in_memory_bytes=0)
    with pytest.raises(InputError, match=r"layer 'layers.0.residual_group.blocks.0.attn'.*choose a layer around it"):
        collect_features(swinir(), [torch.rand(1, 3, 16, 16)], ["layers.0.residual_group.blocks.0.attn"])


# --- discovery and batches


def test_all_layers_lists_what_is_called(cnn: SmallCnn, batch: Tensor) -> None:
    listed = all_layers(cnn, batch)
    assert [layer.name for layer in listed[:5]] == ["head", "norm", "body.0.conv1", "body.0.act", "body.0.conv2"]
    assert ("body.0", "Block", (3, 6, 12, 16), 1) in listed
    assert "unused" not in {layer.name for layer in listed}
    assert ("cell", "Block", (3, 4, 12, 16), 2) in all_layers(Recurrent(), batch * 0.1)


def test_default_layers_are_the_blocks_and_the_last_hr_layer(cnn: SmallCnn, batch: Tensor) -> None:
    found = default_layers(cnn, batch)
    assert found.layers == ["body.0", "body.1", "body.2", "conv_last:input"]
    assert found.last_hr_layer == "conv_last:input"


def test_default_layers_of_a_transformer() -> None:
    found = default_layers(swinir(), torch.rand(1, 3, 16, 16))
    assert found.layers == ["layers.0", "layers.1", "conv_last:input"]


def test_default_layers_of_other_networks(batch: Tensor) -> None:
    upsampler = [nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)]
    to_shuffle = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), *upsampler)
    assert default_layers(to_shuffle, batch).last_hr_layer == "2:input"
    classifier = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    assert default_layers(classifier, batch).last_hr_layer == "3:input"
    assert default_layers(Recurrent(), batch * 0.1) == (["dark:input"], "dark:input")
    with pytest.raises(InputError, match="no convolution"):
        default_layers(nn.Sequential(nn.ReLU()), batch)


def test_batches_fit_the_memory(cnn: SmallCnn) -> None:
    sample = torch.rand(1, 3, 32, 32)
    limits = [1, 10 << 20, 20 << 20, 40 << 20]
    sizes = [choose_batch(cnn, sample, ["body.0"], memory_limit=limit, largest=1000) for limit in limits]
    assert sizes[0] == 1
    assert all(small < large for small, large in pairwise(sizes))
    assert choose_batch(cnn, sample, ["body.0"], memory_limit=1 << 40, largest=7) == 7
    # The largest tensor, (1, 24, 32, 32) float32, takes 96 KiB; several of it must fit.
    assert sizes[1] * 3 * 96 * 1024 < limits[1]
    assert 1 <= choose_batch(cnn, sample, ["body.0"]) <= 16
