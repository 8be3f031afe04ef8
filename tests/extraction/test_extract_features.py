"""`ddrscope.extract_features`: in memory, to files, skipped images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import ddrscope
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError, RunConflictError
from ddrscope.extraction import ExtractedFeatures
from ddrscope.images import bundled_photos, read_image
from ddrscope.networks import Network, SRResNet, load_network, save_network

NAMES = ["a.png", "b.png", "c.png"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    save_network(path, SRResNet(channels=8, blocks=2, scale=2), {"global_residual": "false"})
    return load_network(str(path))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images, one that is smaller than the crop, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("images")
    for name, file in zip(NAMES, sorted(bundled_photos().glob("*__1.png")), strict=False):
        Image.open(file).crop((60, 60, 124, 124)).save(folder / name)
    Image.new("RGB", (20, 20)).save(folder / "bb.png")
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def expected(network: Network, images: Path, degradation: str) -> np.ndarray:
    """Pooled features of the input of the last convolution, directly."""
    inputs: list[torch.Tensor] = []
    hook = network.module.conv_last.register_forward_pre_hook(lambda _, given: inputs.append(given[0][0]))
    for name in NAMES:
        small = parse_degradation(degradation).apply(read_image(images / name).pixels, 0, network.scale)
        with torch.inference_mode():
            network(torch.from_numpy(small[8:24, 8:24].copy()).permute(2, 0, 1)[None])
    hook.remove()
    positions = torch.stack(inputs).flatten(2).double()
    return torch.cat([positions.mean(2), positions.std(2, correction=0)], dim=1).numpy()


def test_features_are_those_of_a_direct_pass(network: Network, images: Path) -> None:
    result = ddrscope.extract_features(
        network, images, view="pooled", degradation="blur:2", crop=32, precision="float32"
    )
    assert list(result.names) == NAMES and (result.layer, result.view) == ("conv_last:input", "pooled")
    assert {Path(path).name for path in result.skipped} == {"bb.png", "broken.png"}
    np.testing.assert_allclose(result.features, expected(network, images, "blur:2"), rtol=1e-4, atol=1e-5)
    assert result.to_frame().index.tolist() == NAMES


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_a_file_holds_the_features_of_memory(network: Network, images: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"x{suffix}"
    options: dict = {"view": "flattened", "crop": 32, "layer": "body.1"}
    written = ddrscope.extract_features(network, images, out, **options)
    memory = ddrscope.extract_features(network, images, **options)
    assert (
        len(written) == 3
        and list(written.names) == list(memory.names)
        and written.skipped.keys() == memory.skipped.keys()
    )
    np.testing.assert_array_equal(written.features, memory.features)
    with pytest.raises(RunConflictError):
        ddrscope.extract_features(network, images, out, **options)
    before = out.stat().st_mtime_ns
    assert ddrscope.extract_features(network, images, out, resume=True, **options).skipped == written.skipped
    assert out.stat().st_mtime_ns == before
    copy = memory.save(tmp_path / f"copy{suffix}")
    assert copy.read_bytes() == out.read_bytes()
    np.testing.assert_array_equal(ExtractedFeatures.load(copy).features, memory.features)


def test_other_tools_read_the_files(network: Network, images: Path, tmp_path: Path) -> None:
    result = ddrscope.extract_features(network, images, tmp_path / "x.npy", view="pooled", crop=32)
    rows = np.load(tmp_path / "x.npy")
    assert rows.dtype == np.float32 and (tmp_path / "x.txt").read_text() == "a.png\nb.png\nc.png\n"
    frame = pd.read_parquet(result.save(tmp_path / "y.parquet"))
    assert frame.columns.tolist() == ["picture", "features"] and frame["picture"].tolist() == NAMES
    np.testing.assert_array_equal(np.stack(frame["features"].to_list()), rows)


def test_what_cannot_be_extracted_is_refused(network: Network, images: Path, tmp_path: Path) -> None:
    for options, reason in (
        ({"view": "flat"}, "`view`=flat"),
        ({"crop": 33}, "`crop`=33 is no multiple"),
        ({"layer": "body.*"}, "name one"),
        ({"out": tmp_path / "x.csv"}, "`out`"),
        ({"cluster": "local"}, "`network`"),
        ({"crop": 128}, "no image can be read.*smaller than"),
    ):
        with pytest.raises(InputError, match=reason):
            ddrscope.extract_features(network, images, **{"crop": 32, **options})  # type: ignore[arg-type]
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunConflictError, match="notes.txt, which exists already"):
        ddrscope.extract_features(network, images, tmp_path / "notes.npy", crop=32)
