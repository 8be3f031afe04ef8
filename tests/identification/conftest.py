from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.identification import Descriptor, DistortionIdentifier, ImageIdentifier, save_identifier
from ddrscope.identification.evaluation import Evaluation
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.labelled_images import DistortionSampler
from ddrscope.identification.tile_descriptors import describe_images, fit_to_images
from ddrscope.images import bundled_photos, find_images
from ddrscope.networks import SRResNet, load_network, save_network

FEW = tuple(d for d in DISTORTIONS if d.name in ("gaussian_blur", "white_noise", "impulse_noise"))
GROUPS = {distortion.name: distortion.group for distortion in FEW}
HEAD = HeadSettings(width=64, dropout=0.1, epochs=150, batch=32)


@pytest.fixture(scope="session")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network of two blocks with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    save_network(path, SRResNet(channels=16, blocks=2), {"architecture": "SRResNet", "global_residual": "true"})
    return path


@pytest.fixture(scope="session")
def small_identifier(small_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an identifier of `FEW`, fitted to a few crops by `small_network`."""
    folder = tmp_path_factory.mktemp("identifier")
    descriptor = Descriptor(load_network(str(small_network)), {"body.1": ("moments",)}, "float32")
    files = {file.photo: file.path for file in find_images([bundled_photos()])}
    images = list(DistortionSampler(sorted(files.values())[:8], 96, FEW).every_level())
    (folder / "parts").mkdir()
    tiles = describe_images(images, descriptor.describe, folder / "parts")
    again = describe_images(images, lambda _: pytest.fail("shards are there"), folder / "parts")
    assert np.array_equal(tiles.descriptors, again.descriptors) and np.array_equal(tiles.images, again.images)
    unfitted = DistortionIdentifier(tuple(GROUPS), parts=descriptor.widths(), components=40, head=HEAD)
    identifier = fit_to_images(unfitted, images, tiles)
    predictions = identifier.predict_all(tiles.descriptors, tiles.images)
    assert Evaluation(images, predictions, GROUPS).measures()["group_accuracy"].value > 0.7
    fitted = ImageIdentifier(descriptor, identifier, GROUPS, {"photographs": sorted(files)[:8]})
    return save_identifier(folder / "few.safetensors", fitted)
