"""The training of the bundled identifier: resumed to the bit, then calibrated into a file that loads."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ddrscope.identification import load_identifier
from ddrscope.identification.tile_bank import TileBank, write_tile_bank
from ddrscope.identification.tile_network import TileNetwork, TileNetworkSettings
from ddrscope.images import bundled_photos, find_images, read_image
from scripts.identifier import calibrate
from scripts.identifier.split import is_held_out
from scripts.identifier.train import Data, train

pytestmark = pytest.mark.slow


class Killed(Data):
    """Data that end a training in its fifth step."""

    def batches(self, first: int, last: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for number, batch in enumerate(super().batches(first, last), first):
            if number == 4:
                raise KeyboardInterrupt
            yield batch


@pytest.fixture(scope="module")
def hr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hr")
    for part in ("train", "val"):
        (folder / part).mkdir()
    for number, file in enumerate(find_images([bundled_photos()])):
        shutil.copy(file.path, folder / ("val" if number % 5 == 0 else "train"))
    return folder


@pytest.fixture(scope="module")
def bank(hr: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_tile_bank(folder, find_images([hr / "train", hr / "val"]), 16)
    return folder


def network() -> TileNetwork:
    torch.manual_seed(0)
    return TileNetwork(35, TileNetworkSettings((8, 8), (1, 1), 16))


def test_a_killed_training_ends_as_an_uninterrupted_one(bank: Path, tmp_path: Path) -> None:
    arguments = ([TileBank.open(bank)], 0, 3, 16, 64)
    train(network(), Data(*arguments), tmp_path / "whole", 6, 1e-3, save_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(network(), Killed(*arguments), tmp_path / "parts", 6, 1e-3, save_every=2)
    assert torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"] == 4
    train(network(), Data(*arguments), tmp_path / "parts", 6, 1e-3, save_every=2)
    whole, parts = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_photographs_that_calibrate_do_not_train(bank: Path) -> None:
    tiles = TileBank.open(bank)
    data = Data([tiles], 0, 0, 16, 64)
    used = [{tiles.photo_names[tiles.photos[index]] for _, index, _ in rows} for rows in (data.train, data.validation)]
    assert used[0] and used[1] and not used[0] & used[1]
    assert all(is_held_out(name) == (name in used[1]) for name in tiles.photo_names)


def test_a_mirrored_motion_has_the_mirrored_angle(bank: Path) -> None:
    data = Data([TileBank.open(bank)], 0, 0, 16, 128)
    sines = data.batch(data.train, None)[2][:, -4]
    mirrored = next(
        batch for seed in range(9) if (batch := data.batch(data.train, np.random.default_rng(seed)))[2][:, -4].nansum() != sines.nansum()
    )  # fmt: skip
    torch.testing.assert_close(mirrored[2][:, -4], -sines, equal_nan=True)
    torch.testing.assert_close(mirrored[0].flip(3), data.batch(data.train, None)[0])


def test_calibrated_weights_are_an_identifier(
    hr: Path, bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    torch.save(TileNetwork(35).state_dict(), tmp_path / "weights.pt")
    words = [tmp_path / "weights.pt", hr, bank, tmp_path / "x.safetensors", "--histories", 40]
    monkeypatch.setattr(sys, "argv", ["calibrate", *map(str, words)])
    calibrate.main()
    identifier = load_identifier(tmp_path / "x.safetensors")
    assert len(identifier.names) == 36
    names = {file.name for file in find_images([hr])}
    assert {Path(name).name for name in identifier.about["photographs"]} == {Path(name).name for name in names}
    assert identifier.identify(read_image(find_images([hr])[0]).pixels).estimates
