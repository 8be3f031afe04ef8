from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kurtosis, skew

from ddrscope.errors import InputError
from ddrscope.identification.pooling import LAGS, POOLINGS, Channels, autocorrelation
from ddrscope.identification.tiles import ALIGNMENT, place_tiles

sides = st.integers(1, 900)


@given(sides, sides, st.sampled_from([64, 128]))
def test_tiles_cover_the_image(height: int, width: int, side: int) -> None:
    seen = np.zeros((height, width), bool)
    for top, left in place_tiles(height, width, side):
        assert top % ALIGNMENT == left % ALIGNMENT == 0
        assert top + min(side, height) <= height and left + min(side, width) <= width
        seen[top : top + side, left : left + side] = True
    # Aligned tiles may leave less than an alignment's pixels at the far borders.
    assert seen[: max(1, height - ALIGNMENT), : max(1, width - ALIGNMENT)].all()


@given(sides, sides, st.integers(1, 20))
def test_few_tiles_are_spread_over_the_image(height: int, width: int, limit: int) -> None:
    everything, few = place_tiles(height, width, 64), place_tiles(height, width, 64, limit)
    assert 1 <= len(few) <= limit and set(few) <= set(everything) and len(set(few)) == len(few)
    assert len(few) == len(everything) <= limit or len(few) > limit / 2
    if limit >= 4 and len(everything) >= 4:
        for axis in (0, 1):
            ends = {corner[axis] for corner in everything}
            if len(ends) > 1 and len({corner[axis] for corner in few}) > 1:
                assert {min(ends), max(ends)} <= {corner[axis] for corner in few}


def test_poolings_against_numpy_and_scipy() -> None:
    generator = torch.Generator().manual_seed(0)
    channels = torch.randn(5, 3000, generator=generator).exp() * torch.arange(1, 6)[:, None]
    values = channels.numpy().astype(np.float64)
    averages, spreads = values.mean(1), values.std(1)
    pooled = {name: pooling(Channels(channels, 50, 60)).numpy() for name, pooling in POOLINGS.items()}
    assert np.allclose(pooled["mean"], averages, rtol=1e-5)
    assert np.allclose(pooled["mean_std"], [*averages, *np.log(spreads)], rtol=1e-3)
    skewness, tails = skew(values, axis=1), kurtosis(values, axis=1, fisher=False)
    expected = [*averages, *np.log(spreads), *(np.sign(skewness) * np.log1p(abs(skewness))), *np.log(tails)]
    assert np.allclose(pooled["moments"], expected, rtol=1e-3)
    percentiles = np.percentile(values, [1, 10, 50, 90, 99], axis=1).ravel()
    assert np.allclose(pooled["percentiles"], percentiles, rtol=1e-4)
    assert np.allclose(pooled["correlation"][10:], np.corrcoef(values)[np.triu_indices(5, 1)], atol=1e-3)
    image = (values - averages[:, None]).reshape(5, 50, 60) / spreads[:, None, None]
    alike = pooled["autocorrelation"].reshape(len(LAGS), 5)
    for lag, expected in {
        (0, 4): image[:, :, :-4] * image[:, :, 4:],
        (2, -2): image[:, :-2, 2:] * image[:, 2:, :-2],
    }.items():
        assert np.allclose(alike[LAGS.index(lag)], expected.mean((1, 2)), atol=1e-3)
    cells = image[:, :48, :56].reshape(5, 6, 8, 7, 8).std((2, 4)).reshape(5, -1)
    assert np.allclose(pooled["local_spread"].reshape(5, 5)[2], np.log(np.median(cells, axis=1)), atol=1e-3)


def test_positions_that_form_no_rows_have_no_neighbours() -> None:
    with pytest.raises(InputError, match="rows and columns"):
        autocorrelation(Channels(torch.rand(3, 101), 10, 10))


def test_a_constant_channel_has_finite_statistics() -> None:
    flat = torch.full((3, 100), 0.25)
    assert all(torch.isfinite(pooling(Channels(flat, 10, 10))).all() for pooling in POOLINGS.values())


def test_poolings_stay_on_the_device_of_the_features() -> None:
    # PyTorch's device without memory: it refuses tensors of another one as a GPU does.
    channels = Channels(torch.empty(4, 256, device="meta"), 16, 16)
    assert {pooling(channels).device.type for pooling in POOLINGS.values()} == {"meta"}
