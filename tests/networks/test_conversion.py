"""Checkpoints that are not what they are called, or more than weights: read by content, or refused with a remedy that works."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from commands import PYTHON, Run
from corrupt_files import refusal
from ddrscope.errors import InputError
from ddrscope.networks import SRResNet, load_named_network, load_network

BATCH = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def module() -> SRResNet:
    torch.manual_seed(3)
    return SRResNet(channels=4, blocks=2, scale=2).eval()


def expected(module: SRResNet) -> torch.Tensor:
    with torch.inference_mode():
        return module(BATCH)


@pytest.mark.parametrize(
    "name",
    [
        "net.pth",
        "net.ckpt",
        "net.safetensors",
        "pytorch_model.bin",
        "net.pth.tar",
        "net.pkl",
        "net.th",
        "net.tar",
        "net",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_checkpoint_is_read_by_its_content(tmp_path: Path, module: SRResNet, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "safetensors":
        # Written elsewhere: the suffix may change how it is written.
        save_file(module.state_dict(), tmp_path / "original.safetensors")
        shutil.copy(tmp_path / "original.safetensors", path)
    else:
        torch.save(module.state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    network = load_network(path, global_residual=True)
    assert torch.equal(network(BATCH), expected(module))
    misnamed = (kind == "safetensors") != name.endswith(".safetensors")
    assert any("rename" in note for note in network.notes) == misnamed


def test_a_binary_half_of_a_pair_is_still_one(tmp_path: Path, module: SRResNet) -> None:
    torch.save(module.state_dict(), tmp_path / "net.bin")
    (tmp_path / "net.param").write_text("no pair")
    assert "net.param" in refusal_of_either(tmp_path / "net.bin")


def refusal_of_either(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_network(path)
    return str(caught.value)


CONTENTS = {
    "module": lambda module: module,
    "module and more": lambda module: {"model": module, "epoch": 3, "args": argparse.Namespace(lr=0.1)},
    "weights and more": lambda module: {"params": module.state_dict(), "args": argparse.Namespace(lr=0.1)},
    "averaged module": lambda module: {"model": SRResNet(channels=4, blocks=2, scale=2), "ema": module},
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_advice_for_more_than_weights_works(
    tmp_path: Path, monkeypatch, module: SRResNet, content: str, zipped: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(CONTENTS[content](module), "net.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(Path("net.pth"))
    python, option, code = shlex.split(message[message.index("python -c") :])
    exec(code, {})
    assert (python, option) == ("python", "-c")
    assert torch.equal(load_network("weights.pth", global_residual=True)(BATCH), expected(module))


def test_the_advice_is_a_command_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: SRResNet, run_command: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(module, "net.pth")
    message = refusal(Path("net.pth"))
    command = message[message.index("python -c") :].replace("python", PYTHON, 1)
    assert run_command(command, program=["sh", "-c"]).returncode == 0
    assert torch.equal(load_network("weights.pth", global_residual=True)(BATCH), expected(module))


def test_a_class_of_the_program_that_saved_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_command: Run
) -> None:
    """Classes of a script are pickled as those of `__main__`, which another program does not have."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import torch\nfrom ddrscope.networks import SRResNet\nclass Mine(SRResNet):\n    pass\n"
        "if __name__ == '__main__':\n    torch.manual_seed(3)\n    net = Mine(channels=4, blocks=2, scale=2)\n"
        "    torch.save(net.state_dict(), 'expected.pth')\n    torch.save({'deploy': net}, 'net.tar')\n"
    )
    assert run_command(f"{PYTHON} mine.py", program=["sh", "-c"]).returncode == 0
    message = refusal(Path("net.tar"))
    assert "MODULE: the file with Mine" in message
    command = message[message.index("python -c") : message.index(" (MODULE")]
    command = command.replace("python", PYTHON, 1).replace("MODULE", "mine")
    assert run_command(command, program=["sh", "-c"]).returncode == 0
    networks = [load_network(name, global_residual=True) for name in ("weights.pth", "expected.pth")]
    assert torch.equal(networks[0](BATCH), networks[1](BATCH))


@pytest.mark.parametrize("name", ["net.th", "net.tar", "net"])
def test_a_checkpoint_that_a_file_names_is_read_by_its_content(tmp_path: Path, module: SRResNet, name: str) -> None:
    torch.save(module.state_dict(), tmp_path / name)
    assert load_named_network(str(tmp_path / name), "guide").architecture == "SRResNet"
    (tmp_path / name).write_text("no checkpoint")
    with pytest.raises(InputError, match="neither a checkpoint nor a name"):
        load_named_network(str(tmp_path / name), "guide")


def packed(kind: str, folder: Path) -> bytes:
    """An archive of a file."""
    (folder / "content").mkdir()
    (folder / "content" / "net.pth").write_bytes(bytes(2000))
    return Path(shutil.make_archive(str(folder / "packed"), kind, folder / "content")).read_bytes()


@pytest.mark.parametrize("name", ["net.tar", "net.th", "net.pth"])
@pytest.mark.parametrize("kind", ["tar", "gztar", "bztar", "xztar", "zip"])
def test_an_archive_is_to_be_unpacked(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(packed(kind, tmp_path))
    assert "unpack it" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["net.tar", "net.th", "net"])
@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git lfs pull"),
        (b"nothing of the kind", "by its content"),
    ],
)
def test_what_is_no_checkpoint_is_said_by_its_content(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in refusal(tmp_path / name)


def test_a_file_name_does_not_become_a_command(tmp_path: Path, module: SRResNet) -> None:
    path = tmp_path / "$(touch ran)'; touch ran #.pth"
    torch.save(module, path)
    message = refusal(path)
    assert "touch" not in message[message.index("python -c") :]
