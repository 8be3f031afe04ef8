"""The bundled embeddings of known degradations: valid for one network, and computed in the background for others."""

from __future__ import annotations

import copy
import dataclasses
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from ddrscope.identification import load_identifier
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet, load_network
from ddrscope.upscaling import EmbeddingMap, map_embeddings
from ddrscope.upscaling.bundled_embeddings import BUNDLED_FILE, load_embeddings, save_embeddings
from ddrscope.upscaling.embedding_map import embed_known_images
from ddrscope.upscaling.known_images import KnownImage, known_images
from ddrscope.webapp.images import UploadLimits
from ddrscope.webapp.server import build_pages
from ddrscope.webapp.state import AppState, open_app_state

REMEDY = "run python -m scripts.bundle.known_degradations"
LIMITS = UploadLimits(1, 1)


@pytest.fixture(scope="module")
def bundled() -> Network:
    return load_network("blind-ddr")


@pytest.fixture(scope="module")
def tiny() -> Network:
    guide = DegradationGuide(8, 1)
    return Network(
        "tiny", GuidedSRResNet(SRResNet(channels=8, blocks=1), guide), 4, 3, "GuidedSRResNet", minimum_size=2
    )


@pytest.mark.slow
def test_the_bundled_embeddings_equal_those_computed_now(bundled: Network) -> None:
    images = known_images()
    kept = load_embeddings(bundled, images)
    assert kept is not None, REMEDY
    # One image of each degradation, each of another photograph.
    photographs = len({image.file.photo for image in images})
    part = [number * photographs + number for number in range(len(images) // photographs)]
    anew = embed_known_images(bundled, [images[number] for number in part])
    # Processors differ in the last bits, degradations by far more.
    np.testing.assert_allclose(kept[part], anew, atol=0.01 * kept.std(), err_msg=REMEDY)


def test_some_of_the_degradations_are_read_from_it(bundled: Network) -> None:
    whole, part = map_embeddings(bundled), map_embeddings(bundled, ["noise:20", "clean"])
    texts = whole.plane.degradations
    chosen = [index for degradation in ("noise:20", "clean") for index, text in enumerate(texts) if text == degradation]
    np.testing.assert_array_equal(part.embeddings, whole.embeddings[chosen])


def test_it_is_not_used_for_other_networks_photographs_or_degradations(bundled: Network, tmp_path: Path) -> None:
    images = known_images()
    changed = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
    nn.init.normal_(next(changed.module.parameters()))
    assert load_embeddings(changed, images) is None
    assert load_embeddings(bundled, [KnownImage("blur:7", images[0].file)]) is None
    original = Path(str(images[0].file.path))
    other = tmp_path / original.name
    other.write_bytes(original.read_bytes() + b"\0")
    assert (
        load_embeddings(
            bundled, [images[0]._replace(file=dataclasses.replace(images[0].file, path=other)), *images[1:]]
        )
        is None
    )
    for content in (b"", b"no tensors", BUNDLED_FILE.read_bytes()[:-100]):
        (tmp_path / "map.safetensors").write_bytes(content)
        assert load_embeddings(bundled, images, tmp_path / "map.safetensors") is None
    assert load_embeddings(bundled, images, tmp_path / "gone") is None


def test_saved_embeddings_are_read_for_the_same_network_only(bundled: Network, tiny: Network, tmp_path: Path) -> None:
    images = known_images(["clean"])
    embedded = embed_known_images(tiny, images)
    save_embeddings(tiny, images, embedded, tmp_path / "map.safetensors")
    again = load_embeddings(tiny, images[::-1], tmp_path / "map.safetensors")
    assert again is not None
    np.testing.assert_allclose(again, embedded[::-1], rtol=1e-6, atol=1e-6)
    assert load_embeddings(bundled, images, tmp_path / "map.safetensors") is None


def test_the_bundled_map_is_there_when_the_server_starts(bundled: Network) -> None:
    identifier = load_identifier()
    assert open_app_state(identifier, bundled, LIMITS, "cpu").has_map
    # A network that is not steered shows the map of the bundled one.
    state = open_app_state(identifier, load_network("srresnet-wgr"), LIMITS, "cpu")
    assert state.has_map and state.map_network.name == "blind-ddr" == state.embedding_map.network.name


@pytest.mark.slow
def test_the_map_of_another_network_is_computed_in_the_background(tiny: Network) -> None:
    state = open_app_state(load_identifier(), tiny, LIMITS, "cpu")
    np.testing.assert_allclose(state.embedding_map.embeddings, map_embeddings(tiny).embeddings, rtol=1e-5, atol=1e-5)
    assert state.has_map and state.embedding_map.network is tiny


def test_pages_are_laid_out_without_a_map(tiny: Network) -> None:
    never: Future[EmbeddingMap] = Future()
    never.set_exception(AssertionError("the page waited for the map"))
    assert build_pages(AppState(load_identifier(), tiny, tiny, LIMITS, never), {}).blocks
