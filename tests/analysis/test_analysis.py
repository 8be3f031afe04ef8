from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddrscope.analysis import AnalysisResult, analyze
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.analysis.verdicts import answer, comparisons, verdicts
from ddrscope.errors import InputError, RunConflictError
from ddrscope.images import bundled_photos
from ddrscope.io.files import without_nan
from ddrscope.metrics.estimate import Estimate
from ddrscope.networks import Network, load_network, save_network
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.results.analyzed_networks import AnalyzedNetwork, NetworkSummary
from ddrscope.results.layers import LayerMeasures


@pytest.fixture(scope="module")
def whole() -> AnalysisResult:
    """All bundled photographs, none of which was trained on; the last HR layer only."""
    return analyze(crop=64, layers=(), tsne_seeds=1)


def test_features_cluster_by_degradation_only_with_global_residual(whole: AnalysisResult) -> None:
    for view in ("flattened", "pooled"):
        with_residual, without = whole.layer("srresnet-wgr", view), whole.layer("srresnet-wogr", view)
        assert with_residual.degradation_share.is_above(without.degradation_share)
        assert with_residual.chi_pca.is_above(without.chi_pca)
        assert without.content_share.is_above(with_residual.content_share)
        assert without.chi_content_pca.is_above(with_residual.chi_content_pca)


def test_controls_show_nothing(whole: AnalysisResult) -> None:
    frame = whole.to_frame()
    trained = frame[(frame["network"] == "srresnet-wgr") & (frame["control"] == "")]["degradation_share_low"].min()
    for kind in ("random_weights", "pixels", "shuffled_labels"):
        assert (frame[frame["control"] == kind]["degradation_share"] < trained).all()
    shuffled = frame[frame["control"] == "shuffled_labels"]
    assert (shuffled["degradation_share"].abs() < 0.05).all() and (shuffled["p_value"] > 0.001).all()


@pytest.mark.slow
def test_the_same_settings_give_the_same_numbers_whatever_the_threads(small_result: AnalysisResult) -> None:
    again = analyze(
        degradations=["clean", "blur:2", "blur:4"],
        limit=6,
        crop=64,
        layers=("body.7", "body.15"),
        tsne_seeds=1,
        threads=2,
    )
    assert_close(again.to_json()["networks"], small_result.to_json()["networks"])
    np.testing.assert_array_equal(again.embedding[["x", "y"]], small_result.embedding[["x", "y"]])


def write_checkpoint(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    save_network(path, SRResNet(channels=4, blocks=1), {"architecture": "SRResNet", "global_residual": "true"})
    return path


def run(networks: object, **options: Any) -> AnalysisResult:
    small = {"limit": 4, "crop": 32, "layers": (), "views": "pooled", "tsne_seeds": 1, "resume": True}
    return analyze(networks, **small | options)  # type: ignore[arg-type]


def stop_before_the_result(out: Path, networks: object, **options: Any) -> None:
    """An analysis that is interrupted when everything is measured."""

    class Interrupting:
        def start(self, task: str, total: int) -> None:
            if task == "measures of pixels":
                raise KeyboardInterrupt

        def advance(self, count: int = 1) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        run(networks, out=out, progress=Interrupting(), **options)
    assert not (out / "analysis.json").exists()


@pytest.mark.slow
def test_a_resumed_run_gives_what_an_uninterrupted_one_gives(tmp_path: Path) -> None:
    # Crops of one photograph: no neighbours in another, so accuracy and intervals are NaN.
    options = {"images": f"{bundled_photos()}/astronaut__*.png"}
    network = write_checkpoint(tmp_path / "a.safetensors", 0)
    stop_before_the_result(tmp_path / "out", network, **options)
    resumed, fresh = run(network, out=tmp_path / "out", **options), run(network, resume=False, **options)
    assert np.isnan(fresh.networks[0].layers[0].knn_accuracy.value)
    for key in ("networks", "controls", "verdicts", "notes"):
        assert_close(resumed.to_json()[key], fresh.to_json()[key])
    np.testing.assert_array_equal(resumed.embedding[["x", "y"]], fresh.embedding[["x", "y"]])
    assert not (tmp_path / "out" / "parts").exists()


@pytest.mark.slow
def test_a_finished_run_is_loaded(tmp_path: Path) -> None:
    network = write_checkpoint(tmp_path / "a.safetensors", 0)
    first = run(network, out=tmp_path / "out")
    written = (tmp_path / "out" / "analysis.json").stat().st_mtime_ns
    again = run(network, out=tmp_path / "out")
    assert_close(*(without_nan(result.to_json()["networks"]) for result in (again, first)))
    assert (tmp_path / "out" / "analysis.json").stat().st_mtime_ns == written
    # A file that was deleted is made again.
    (tmp_path / "out" / "report.html").unlink()
    run(network, out=tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.slow
def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    path, images = tmp_path / "a.safetensors", tmp_path / "images"
    images.mkdir()
    photos = sorted(bundled_photos().glob("*__1.png"))
    for photo in photos[:4]:
        (images / photo.name).symlink_to(photo)
    options = {"images": images, "limit": None, "out": tmp_path / "out"}
    run(write_checkpoint(path, 0), **options)
    weights = path.read_bytes()
    with pytest.raises(RunConflictError, match="resume"):
        run(path, **options | {"resume": False})
    with pytest.raises(RunConflictError, match="crop"):
        run(path, **options | {"crop": 64})
    write_checkpoint(path, 1)
    with pytest.raises(RunConflictError, match="networks"):
        run(path, **options)
    path.write_bytes(weights)
    (images / photos[4].name).symlink_to(photos[4])
    with pytest.raises(RunConflictError, match="images"):
        run(path, **options)
    assert run(path, **options | {"resume": False, "overwrite": True}).networks[0].layers[0].n == 15


@pytest.mark.slow
def test_checkpoints_are_ordered_by_their_steps(tmp_path: Path) -> None:
    for step in (10, 9):
        write_checkpoint(tmp_path / f"step-{step}.safetensors", step)
    result = run(None, checkpoints={"mine": tmp_path / "*.safetensors"}, resume=False)
    (series,) = result.series
    assert not result.networks and [checkpoint.label for checkpoint in series.checkpoints] == ["step-9", "step-10"]
    single = run(tmp_path / "step-9.safetensors", resume=False)
    expected, found = (layers[-1].to_json() for layers in (single.networks[0].layers, series.checkpoints[0].layers))
    # Checkpoints have no t-SNE planes.
    assert_close(
        {key: found[key] for key in ("chi_pca", "p_value")}, {key: expected[key] for key in ("chi_pca", "p_value")}
    )


def assert_close(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_close(*pair)
    else:
        assert found == (pytest.approx(expected, nan_ok=True) if isinstance(expected, float) else expected)


class Poisoned(nn.Module):
    """Gives NaN for dark images only."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        return self.last(features / (x.mean(dim=(1, 2, 3), keepdim=True) > 0.05))


def test_nan_features_name_layer_image_and_degradation() -> None:
    network = network_from_poisoned()
    with pytest.raises(InputError, match=r"last:input: the features of \S+ under brightness:-255"):
        analyze(network, degradations=["clean", "brightness:-255"], limit=5, crop=64, layers=())


def network_from_poisoned() -> Network:
    return Network("poisoned", Poisoned(), scale=1, channels=3, architecture="Poisoned")


NAN = float("nan")
UNKNOWN = Estimate(NAN)


def measures(layer: str, degradation: Estimate, content: Estimate = UNKNOWN) -> LayerMeasures:
    return LayerMeasures(
        layer=layer, view="pooled", depth=1, features=8, n=9, k=3, p_value=NAN, chi_pca=UNKNOWN, chi_content_pca=UNKNOWN,
        degradation_share=degradation, content_share=content, interaction_share=UNKNOWN, photo_share=None,
        knn_accuracy=Estimate(0.5),
    )  # fmt: skip


def network(name: str, *shares: float) -> AnalyzedNetwork:
    """A network of a layer for each degradation share, each with an interval of 0.1 to both sides."""
    layers = tuple(measures(str(share), Estimate(share, share - 0.1, share + 0.1)) for share in shares)
    return AnalyzedNetwork(NetworkSummary(name, "", 1, 3, None, 1, "", ()), layers)


@pytest.mark.parametrize(
    "degradation, content, expected",
    [
        ((0.5, 0.6), (0.1, 0.2), "degradation"),
        ((0.1, 0.2), (0.5, 0.6), "content"),
        ((0.1, 0.5), (0.4, 0.6), "undecided"),
        ((-0.01, 0.01), (-0.01, 0.01), "neither"),
        ((NAN, NAN), (NAN, NAN), "undecided"),
    ],
)
def test_the_rule_of_the_verdict(degradation: tuple[float, float], content: tuple[float, float], expected: str) -> None:
    shares = [Estimate(sum(interval) / 2, *interval) for interval in (degradation, content)]
    assert answer(measures("last", *shares)) == expected


def test_networks_are_ranked_by_degradation_share() -> None:
    (comparison,) = comparisons([network("a", 0.3), network("b", 0.8), network("c", 0.75)], balanced=True)
    assert comparison.ranking == ("b", "c", "a") and comparison.view == "pooled"
    assert not comparisons([network("a", 0.3)], balanced=True)


def test_a_layer_that_never_varies_is_neither_highest_nor_first() -> None:
    dead, alive = network("dead", 0.5, NAN), network("alive", NAN, 0.5, 0.2)
    assert [verdict.layer for verdict in verdicts([dead, alive], [], balanced=True)] == ["0.5", "0.5"]
    assert comparisons([dead, alive], balanced=True)[0].ranking == ("alive", "dead")


@pytest.mark.parametrize("options", [{"content": "picture"}, {"precision": "float16"}, {"views": ("flat",)}])
def test_words_that_are_none_of_the_choices_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="is unknown: choose"):
        AnalysisSettings(**options)  # type: ignore[arg-type]


def test_every_bundled_network_is_loaded_with_its_residual() -> None:
    assert load_network("srresnet-wgr").global_residual is True
    assert load_network("srresnet-wogr").global_residual is False
