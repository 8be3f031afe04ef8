from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
import torch
from skimage import data

from ddrscope.errors import InputError
from ddrscope.features import collect_features
from ddrscope.networks import list_networks, load_network, random_twin


@pytest.fixture(scope="module")
def network():
    return load_network("efficientnet-lite0")


def test_it_is_the_published_network(network) -> None:
    assert network.parameters == 4_652_008
    assert (network.scale, network.channels, len(network.layers)) == (1, 3, 17)
    assert network.last_hr_layer == "classifier:input"


@pytest.mark.parametrize(
    "picture, classes",
    [("chelsea", range(281, 286)), ("coffee", (504, 967, 968)), ("rocket", (657, 744, 812))],
)
def test_it_names_real_photographs(network, picture: str, classes: tuple[int, ...]) -> None:
    pixels = torch.from_numpy(getattr(data, picture)() / np.float32(255)).permute(2, 0, 1)[None]
    likeliest = network(pixels)[0].topk(3).indices.tolist()
    assert set(likeliest) & set(classes), likeliest


def test_any_size_enters_and_the_last_layer_is_a_vector(network) -> None:
    for side in (32, 224, 301):
        assert network(torch.rand(1, 3, side, side + 8)).shape == (1, 1000)
    found = collect_features(network.module, [torch.rand(2, 3, 64, 64)], [network.last_hr_layer], ["flattened", "pooled"], run=network)
    assert found[network.last_hr_layer, "flattened"].shape == (2, 1280)
    assert np.isfinite(found[network.last_hr_layer, "pooled"].to_numpy()).all()


def test_its_random_twin_answers_otherwise(network) -> None:
    picture = torch.rand(1, 3, 64, 64)
    assert not torch.allclose(random_twin(network)(picture), network(picture))


def test_it_is_listed_and_its_absence_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "efficientnet-lite0" in [entry.name for entry in list_networks()]

    def missing(_: str):
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(InputError, match="pip install"):
        load_network("efficientnet-lite0")
