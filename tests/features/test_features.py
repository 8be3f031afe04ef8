from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features import (
    NonFiniteFeatures,
    choose_batch,
    collect_features,
    find_channels_dim,
    pool_features,
    to_channels_first,
)
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import is_bfloat16_faster
from ddrscope.features.threads import torch_threads
from ddrscope.layers import resolve_layers
from toy_networks import SmallCnn, Wrapped, forward_pieces, swinir


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


def test_rows_are_the_images_in_order_and_in_channel_height_width_order(cnn: SmallCnn, batch: Tensor) -> None:
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


@pytest.mark.parametrize(("native", "ratio", "faster"), [(True, 0.9, False), (True, 0.5, True), (False, 0.5, False)])
def test_bfloat16_counts_as_faster_only_if_native_and_a_fifth_faster(
    monkeypatch: pytest.MonkeyPatch, native: bool, ratio: float, faster: bool
) -> None:
    clock = [0.0]

    def conv2d(images: Tensor, *_: Any, **__: Any) -> None:
        clock[0] += ratio if images.dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    monkeypatch.setattr(nn.functional, "conv2d", conv2d)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    is_bfloat16_faster.cache_clear()
    assert is_bfloat16_faster(torch.device("cpu")) is faster
    is_bfloat16_faster.cache_clear()


def test_measuring_the_precision_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    is_bfloat16_faster.cache_clear()
    is_bfloat16_faster(torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_are_limited_inside_the_block_only() -> None:
    torch.set_num_threads(2)
    with torch_threads(1) as count:
        assert count == torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with torch_threads(0) as count:
        assert count == 2


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
    with pytest.raises(InputError, match=r"layer 'body.0': row 3 .*crop the images.*pooled"):
        collect_features(cnn, batches, ["body.0"])


def test_collecting_refuses_what_it_cannot_do(cnn: SmallCnn, batch: Tensor, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        collect_features(cnn, [], ["head"])
    with pytest.raises(InputError, match="nearest names: head"):
        collect_features(cnn, [batch], ["heat"])
    with pytest.raises(InputError, match="cannot hold the temporary features"):
        collect_features(cnn, [batch], ["head"], folder=tmp_path / "missing", in_memory_bytes=0)
    with pytest.raises(InputError, match=r"layer 'layers.0.residual_group.blocks.0.attn'.*choose a layer around it"):
        collect_features(swinir(), [torch.rand(1, 3, 16, 16)], ["layers.0.residual_group.blocks.0.attn"])


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


def test_the_device_auto_is_there_and_an_unknown_one_is_refused() -> None:
    assert torch.ones(2, device=resolve_device("auto")).sum() == 2
    assert resolve_device("cpu") == "cpu"
    with pytest.raises(InputError, match="quantum"):
        resolve_device("quantum")
