"""Networks as folders in the hub's layout: written, read back bit by bit, malicious ones refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from commands import call_command
from ddrscope.errors import InputError
from ddrscope.networks import (
    EDSR,
    DegradationGuide,
    GuidedSRResNet,
    SRResNet,
    load_network,
    network_names,
    save_to_hub_folder,
)
from ddrscope.networks.checkpoints.hub import CONFIG, WEIGHTS
from ddrscope.networks.zoo import bundled_names, network_card


def a_batch() -> torch.Tensor:
    return torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(1))


def checkpoint(path: Path, module: nn.Module) -> Path:
    torch.save(module.state_dict(), path)
    return path


def modules() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    guided = GuidedSRResNet(SRResNet(channels=8, blocks=2), DegradationGuide(4, 1))
    nn.init.normal_(guided.modulate.weight)
    return {
        "srresnet": SRResNet(channels=8, blocks=2),
        "plain": SRResNet(channels=8, blocks=2, scale=2, global_residual=False),
        "guided": guided,
        "edsr": EDSR(channels=8, blocks=2, scale=2),
    }


@pytest.mark.parametrize("kind", modules())
def test_a_network_comes_back_to_the_bit(kind: str, tmp_path: Path) -> None:
    module = modules()[kind]
    option = kind != "plain" if kind != "edsr" else None
    network = load_network(checkpoint(tmp_path / f"{kind}.pth", module), global_residual=option)
    folder = save_to_hub_folder(network, tmp_path / "folder")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    again = load_network(folder)
    with torch.inference_mode():
        assert torch.equal(again(a_batch()), module.eval()(a_batch()))
    assert (again.name, again.architecture, again.scale, again.layers) == (
        "folder",
        network.architecture,
        network.scale,
        network.layers,
    )
    assert again.global_residual == network.global_residual
    # Weights in full float32 are not rounded.
    assert (folder / WEIGHTS).stat().st_size > 4 * network.parameters


@pytest.mark.slow
def test_bundled_networks_are_exported_by_the_command_with_their_cards_and_in_float16(tmp_path: Path) -> None:
    for name in bundled_names():
        assert call_command("models", "export", name, tmp_path / name).returncode == 0
        network, again = load_network(name), load_network(tmp_path / name)
        assert torch.equal(again(a_batch()), network(a_batch()))
        assert again.describe() | {"source": "", "sha256": "", "name": name} == network.describe() | {
            "source": "",
            "sha256": "",
        }
        assert (tmp_path / name / "README.md").read_text().endswith(network_card(name))
        assert (tmp_path / name / WEIGHTS).stat().st_size < 2.1 * network.parameters + 20_000


def test_pretrained_networks_are_written_or_refused(tmp_path: Path) -> None:
    names = network_names()
    if not {"realesr-animevideov3", "realesr-animevideov3-x2", "efficientnet-lite0"} <= set(names):
        pytest.skip("the extra [pretrained] is not installed")
    network = load_network("realesr-animevideov3")
    again = load_network(save_to_hub_folder(network, tmp_path / "compact"))
    assert again.architecture == network.architecture and torch.equal(again(a_batch()), network(a_batch()))
    for name in ("realesr-animevideov3-x2", "efficientnet-lite0"):
        with pytest.raises(InputError, match="cannot be restored"):
            save_to_hub_folder(load_network(name), tmp_path / name)
        assert not (tmp_path / name).exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        save_to_hub_folder(load_network("srresnet-wgr"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    network = load_network(checkpoint(folder / "a.pth", modules()["srresnet"]), global_residual=True)
    return save_to_hub_folder(network, folder / "network")


BAD_CONFIGURATIONS = [
    ({"architecture": "Unknown"}, "weights beside it have SRResNet"),
    ({"architecture": "../../etc/passwd"}, "weights beside it have SRResNet"),
    ({"architecture": ["SRResNet"]}, "architecture is"),
    ({"architecture": "x\nTraceback " * 1000}, "weights beside it have SRResNet"),
    ({"weights": "../../../etc/passwd"}, "unknown key 'weights'"),
    ({"auto_map": {"AutoModel": "evil.Model"}}, "unknown key 'auto_map'"),
    ({"library_name": "transformers"}, "library_name 'transformers'"),
    ({"scale": 2}, "states scale 2"),
    ({"scale": True}, "scale is True"),
    ({"scale": 10**30}, "states scale 1000"),
    ({"channels": None}, "channels is None"),
    ({"global_residual": "false"}, "global_residual is 'false'"),
    ({"scale": ...}, "scale is missing"),
]


@pytest.mark.parametrize("change, hint", BAD_CONFIGURATIONS, ids=[str(change)[:40] for change, _ in BAD_CONFIGURATIONS])
def test_a_wrong_configuration_is_refused_in_one_line(
    change: dict[str, object], hint: str, good: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(good, tmp_path / "network")
    config = json.loads((folder / CONFIG).read_text()) | change
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    check_refusal(folder, hint)


@pytest.mark.parametrize(
    "name, content, hint",
    [
        (CONFIG, b"{" * 100_000, "not JSON"),
        (CONFIG, b"\xff\xfe", "not JSON"),
        (CONFIG, b"[]", "no object"),
        (CONFIG, b" " * (2 << 20), "larger than"),
        (CONFIG, None, "no such file"),
        (WEIGHTS, None, "no such file"),
        (WEIGHTS, b"no weights", "not a readable safetensors"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(
    name: str, content: bytes | None, hint: str, good: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(good, tmp_path / "network")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    check_refusal(folder, hint)


def check_refusal(spec: object, hint: str) -> None:
    done = call_command("models", "show", spec)
    assert done.returncode == 2 and hint in done.stderr
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 1000


def test_a_name_of_the_hub_is_looked_up_in_the_cache_only(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    check_refusal("hf://someone/network", "not in the hub's cache")
    repository, commit = tmp_path / "models--someone--network", "0123456789" * 4
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir()
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    # The cache holds links to its blobs.
    for path in good.iterdir():
        shutil.copy(path, repository / "blobs" / path.name)
        (snapshot / path.name).symlink_to(repository / "blobs" / path.name)
    for spec in ("hf://someone/network", "hf://someone/network@main", f"hf://someone/network@{commit}"):
        network = load_network(spec)
        assert network.name == "network" and torch.equal(network(a_batch()), load_network(good)(a_batch()))
    check_refusal("hf://someone/network@other", "not in the hub's cache")
    for spec in ("hf://someone", "hf://../network", "hf://someone/network/..", "hf:///etc/passwd"):
        check_refusal(spec, "is not of the form")
