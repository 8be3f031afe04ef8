"""The map of known damage in the package: right for the bundled network, taken for no other, and made without keeping a page waiting."""

from __future__ import annotations

import copy
import dataclasses
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from ddrscope.identification import load_identifier
from ddrscope.images import ImageFile
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet, load_network
from ddrscope.upscaling import EmbeddingMap, map_embeddings
from ddrscope.upscaling.bundled_embeddings import PACKAGED, packaged_embeddings, save_embeddings
from ddrscope.upscaling.embedding_map import embed_known, known_images
from ddrscope.webapp.images import Limits
from ddrscope.webapp.server import build
from ddrscope.webapp.state import AppState, open_app_state

REMEDY = "run python -m scripts.bundle.known_degradations"
LIMITS = Limits(1, 1)


@pytest.fixture(scope="module")
def bundled() -> Network:
    return load_network("blind-ddr")


@pytest.fixture(scope="module")
def tiny() -> Network:
    guide = DegradationGuide(8, 1)
    return Network(
        "tiny", GuidedSRResNet(SRResNet(channels=8, blocks=1), guide), 4, 3, "GuidedSRResNet", minimum_size=2
    )


def test_the_packaged_map_is_what_is_computed_anew(bundled: Network) -> None:
    shown = known_images()
    kept = packaged_embeddings(bundled, shown)
    assert kept is not None, REMEDY
    # One image of each damage, each of another photograph.
    photographs = len({file.photo for _, file in shown})
    part = [number * photographs + number for number in range(len(shown) // photographs)]
    anew = embed_known(bundled, [shown[number] for number in part])
    # Processors differ in the last bits; damages by far more.
    np.testing.assert_allclose(kept[part], anew, atol=0.01 * kept.std(), err_msg=REMEDY)


def test_a_part_of_the_damages_is_taken_from_it(bundled: Network) -> None:
    whole, part = map_embeddings(bundled), map_embeddings(bundled, ["noise:20", "clean"])
    chosen = [index for damage in ("noise:20", "clean") for index, text in enumerate(whole.damages) if text == damage]
    np.testing.assert_array_equal(part.embedded, whole.embedded[chosen])


def test_no_other_network_photograph_or_damage_is_taken_for_it(bundled: Network, tmp_path: Path) -> None:
    shown = known_images()
    changed = dataclasses.replace(bundled, module=copy.deepcopy(bundled.module))
    nn.init.normal_(next(changed.module.parameters()))
    assert packaged_embeddings(changed, shown) is None
    assert packaged_embeddings(bundled, [("blur:7", shown[0][1])]) is None
    other = tmp_path / Path(str(shown[0][1].path)).name
    other.write_bytes(Path(str(shown[0][1].path)).read_bytes() + b"\0")
    assert (
        packaged_embeddings(bundled, [(shown[0][0], dataclasses.replace(shown[0][1], path=other)), *shown[1:]]) is None
    )
    for content in (b"", b"no tensors", PACKAGED.read_bytes()[:-100]):
        (tmp_path / "map.safetensors").write_bytes(content)
        assert packaged_embeddings(bundled, shown, tmp_path / "map.safetensors") is None
    assert packaged_embeddings(bundled, shown, tmp_path / "gone") is None


def test_what_is_saved_is_read_by_the_same_network_only(bundled: Network, tiny: Network, tmp_path: Path) -> None:
    shown: list[tuple[str, ImageFile]] = known_images(["clean"])
    embedded = embed_known(tiny, shown)
    save_embeddings(tiny, shown, embedded, tmp_path / "map.safetensors")
    again = packaged_embeddings(tiny, shown[::-1], tmp_path / "map.safetensors")
    assert again is not None
    np.testing.assert_allclose(again, embedded[::-1], rtol=1e-6, atol=1e-6)
    assert packaged_embeddings(bundled, shown, tmp_path / "map.safetensors") is None


def test_the_bundled_map_is_there_when_the_server_starts(bundled: Network) -> None:
    identifier = load_identifier()
    assert open_app_state(identifier, bundled, LIMITS, "cpu").has_map
    # A network that is not steered shows the map of the bundled one.
    desk = open_app_state(identifier, load_network("srresnet-wgr"), LIMITS, "cpu")
    assert desk.has_map and desk.mapper.name == "blind-ddr" == desk.known.network.name


def test_the_map_of_another_network_is_made_meanwhile(tiny: Network) -> None:
    desk = open_app_state(load_identifier(), tiny, LIMITS, "cpu")
    np.testing.assert_allclose(desk.known.embedded, map_embeddings(tiny).embedded, rtol=1e-5, atol=1e-5)
    assert desk.has_map and desk.known.network is tiny


def test_pages_are_laid_out_without_a_map(tiny: Network) -> None:
    never: Future[EmbeddingMap] = Future()
    never.set_exception(AssertionError("the page waited for the map"))
    assert build(AppState(load_identifier(), tiny, tiny, LIMITS, never), {}).blocks
