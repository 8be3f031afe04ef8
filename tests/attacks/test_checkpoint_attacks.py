"""Files of weights from someone who means harm: nothing in them runs, none takes more memory than its size explains."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from commands import call_command
from corrupt_files import NO_FILES, Attack, memory_below, refusal, write
from ddrscope.errors import InputError
from ddrscope.networks import EDSR, SRResNet, load_network

BATCH = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def module() -> SRResNet:
    torch.manual_seed(3)
    return SRResNet(channels=4, blocks=2, scale=4).eval()


@pytest.mark.parametrize("allow_torchscript", [True, False])
@pytest.mark.parametrize("protocol", [None, 0, 2, 4])
def test_a_pickle_that_runs_a_program(tmp_path, module, protocol, allow_torchscript):
    target, path = tmp_path / "ran", tmp_path / "net.pth"
    content = {"params": module.state_dict(), "extra": Attack(target)}
    if protocol is None:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Attack(target), protocol))
    message = refusal(path, allow_torchscript=allow_torchscript)
    assert "safetensors" in message or "not what torch.save writes" in message
    assert not target.exists()
    pickle.loads(pickle.dumps(Attack(target)))
    assert target.exists()  # so the attack would have worked


def test_a_whole_pickled_module(tmp_path, module):
    torch.save(module, tmp_path / "net.pth")
    assert "SRResNet" in refusal(tmp_path / "net.pth")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.trace:FutureWarning:torch")  # archives of the kind are still shared
def test_a_torchscript_archive_needs_trust(tmp_path, module):
    path = tmp_path / "net.pt"
    with torch.inference_mode():
        expected = module(BATCH)
    torch.jit.trace(module, BATCH).save(str(path))
    assert "`allow_torchscript`=True" in refusal(path)
    torch.testing.assert_close(load_network(path, global_residual=True, allow_torchscript=True)(BATCH), expected)


def test_a_file_that_unpacks_to_more_than_itself(tmp_path, module):
    torch.save({"weight": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as source,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert "unpack" in refusal(tmp_path / "bomb.pth")


def test_tensors_that_claim_more_than_the_file_holds(tmp_path, module):
    vast = torch.zeros(1).as_strided((1 << 20, 1 << 20), (0, 0))
    torch.save(module.state_dict() | {"conv_first.weight": vast}, tmp_path / "net.pth")
    assert "larger than the data" in refusal(tmp_path / "net.pth")


def test_a_billionth_block(tmp_path, module):
    state = module.state_dict()
    state["body.999999999.conv1.weight"] = torch.zeros(4, 4, 3, 3)
    torch.save(state, tmp_path / "net.pth")
    assert "SRResNet" in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"\n  <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git lfs pull"),
        (b"not a checkpoint at all", "not a readable"),
        (b"\xff" * 4096, "not a readable"),
        (b"PK\x05\x06" + bytes(18), "not a readable"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "not a readable"),
    ],
)
def test_files_that_are_no_checkpoint(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert expected in refusal(tmp_path / name)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path, module, suffix, kept):
    path = tmp_path / f"net{suffix}"
    state = dict(module.state_dict())
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "not a readable" in refusal(path)


def test_a_module_that_a_pickle_names_is_not_imported(tmp_path):
    """A pickle that names a module of the user's does not import it."""
    (tmp_path / "net.pth").write_bytes(b"\x80\x02cthis_module_was_imported\nthing\n.")
    refusal(tmp_path / "net.pth")
    assert "this_module_was_imported" not in sys.modules


@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".param", ".ckpt", ".th", ".tar", ".pkl", ""])
def test_a_pickle_under_another_name(tmp_path, suffix):
    path = write(tmp_path / f"net{suffix}", pickle.dumps(Attack(tmp_path / "ran"), 2))
    (tmp_path / "net.param").touch()
    with pytest.raises(InputError):
        load_network(path)
    assert not (tmp_path / "ran").exists()


def pickled(*parts: bytes) -> bytes:
    """One pickle of protocol 2 by hand."""
    return b"\x80\x02" + b"".join(parts) + b"."


def archive(data: bytes, folder: str = "archive") -> bytes:
    """A checkpoint of the usual kind around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(f"{folder}/data.pkl", data)
        file.writestr(f"{folder}/byteorder", "little")
        file.writestr(f"{folder}/version", "3\n")
    return buffer.getvalue()


TEXT = b"X\x0a\x00\x00\x00state_dict"
# A dictionary that is its own state_dict; a key of a million nested tuples, hashed by recursion; a number that becomes a gigabyte.
LOOP = pickled(b"}q\x00", TEXT, b"h\x00s")
NESTED = pickled(b"}", b")", b"\x85" * 1_000_000, b"K\x01s")
HIDDEN = pickled(b"}", b")q\x00", b"0h\x00\x85q\x00" * 100_000, b"K\x01s")
LARGE = pickled(b"}", TEXT, b"cbuiltins\nbytearray\n", b"J" + struct.pack("<i", 1 << 30), b"\x85Rs")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "content, said",
    [(LOOP, "no tensors"), (NESTED, "nested"), (HIDDEN, "nested"), (LARGE, "bytearray")],
    ids=["loop", "nested", "hidden", "large"],
)
def test_a_pickle_that_never_ends_or_takes_all(tmp_path, content, said, zipped):
    path = write(tmp_path / "net.pth", archive(content) if zipped else content)
    with memory_below(400):
        message = refusal(path)
    assert said in message or (content == LOOP and not zipped and "not what torch.save writes" in message)


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def test_storages_within_storages(tmp_path):
    """The name of a storage is a storage itself."""
    inner = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x04tQ"
    for name in (inner, inner * 2, b"N", b"}", b"K\x01"):
        outer = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + name + text("cpu") + b"K\x04tQ"
        refusal(write(tmp_path / "net.pth", archive(pickled(b"}", TEXT, outer, b"s"))))


@pytest.mark.slow
def test_prefixes_within_prefixes(tmp_path):
    torch.save({"module." * 5000 + "weight": torch.zeros(1)}, tmp_path / "net.pth")
    assert "1 weights of no known architecture" in refusal(tmp_path / "net.pth")


def deflated(path: Path, size: int) -> bytes:
    """A checkpoint whose pickle is packed, and unpacks to ``size`` bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickled(b"}") + bytes(size))
        file.writestr("archive/version", "3\n")
    return buffer.getvalue()


@pytest.mark.slow
def test_a_bomb_behind_an_end_that_is_none(tmp_path):
    """Python takes the last mark of an end for it, however short; PyTorch goes on to the one before."""
    path = write(tmp_path / "net.pth", deflated(tmp_path, 1 << 28) + b"PK\5\6")
    assert not zipfile.is_zipfile(path)
    with memory_below(100):
        assert "not a readable" in refusal(path)


@pytest.mark.slow
def test_a_bomb_behind_a_second_table_of_contents(tmp_path):
    """Python finds the table that lies before the end, PyTorch the one that the end names."""
    bomb = deflated(tmp_path, 1 << 28)
    start = struct.unpack_from("<L", bomb, len(bomb) - 6)[0]
    honest = io.BytesIO()
    with zipfile.ZipFile(honest, "w") as file:
        file.writestr("archive/data.pkl", pickled(b"}"))
    harmless = honest.getvalue()
    at = struct.unpack_from("<L", harmless, len(harmless) - 6)[0]
    table = harmless[at:-22]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(table), start, 0)
    path = write(tmp_path / "net.pth", bomb[:-22] + table + end)
    assert [entry.file_size for entry in zipfile.ZipFile(path).infolist()] == [len(pickled(b"}"))]
    with memory_below(100):
        assert "two central directories" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_small_file_that_asks_for_a_large_network(tmp_path, module, suffix):
    """One convolution of 12,000 channels is a megabyte; the fifty others that its width calls for would be five gigabytes each."""
    state = module.state_dict() | {"conv_first.weight": torch.zeros(12_000, 3, 3, 3)}
    save_file(state, tmp_path / f"net{suffix}") if suffix == ".safetensors" else torch.save(
        state, tmp_path / f"net{suffix}"
    )
    with memory_below(700):
        assert "far larger than the file" in refusal(tmp_path / f"net{suffix}")


def test_an_empty_tensor_that_asks_for_a_large_network(tmp_path, module):
    """No value at all, and yet a width: what a tensor claims is no more than the data behind it."""
    state = module.state_dict() | {"conv_first.weight": torch.zeros(1_000_000, 3, 0, 0)}
    torch.save(state, tmp_path / "net.pth")
    with memory_below(700):
        assert "SRResNet" in refusal(tmp_path / "net.pth")


def test_a_large_network_of_another_family(tmp_path):
    state = EDSR(channels=4, blocks=1, scale=2).state_dict() | {"conv_first.weight": torch.zeros(12_000, 3, 3, 3)}
    torch.save(state, tmp_path / "net.pth")
    with memory_below(700):
        assert "EDSR" in refusal(tmp_path / "net.pth")


@pytest.mark.slow
def test_an_architecture_of_spandrel_with_a_billionth_block(tmp_path):
    """Compact counts its blocks by the largest number among the names."""
    state = {f"body.{n}.weight": torch.zeros(4, *rest) for n, rest in enumerate([(3, 3, 3), (), (4, 3, 3), ()])}
    state |= {f"body.{n}.bias": torch.zeros(4) for n in (0, 2)}
    state |= {"body.1000000000.weight": torch.zeros(12, 4, 3, 3), "body.1000000000.bias": torch.zeros(12)}
    torch.save(state, tmp_path / "net.pth")
    with memory_below(700):
        assert "far larger than the file" in refusal(tmp_path / "net.pth")


def test_what_honest_files_ask_for_is_not_refused(tmp_path):
    torch.manual_seed(1)
    wide = SRResNet(channels=96, blocks=3, scale=2)
    torch.save({"params_ema": OrderedDict(wide.state_dict())}, tmp_path / "net.pth")
    assert load_network(tmp_path / "net.pth", global_residual=True).layers[0] == "body.0"


def sparse_strides(state: dict, size: tuple[int, ...], strides: tuple[int, ...]) -> dict:
    return state | {"conv_first.weight": torch.zeros(64).as_strided(size, strides)}


@pytest.mark.parametrize(
    "size, strides", [((4, 3, 3, 3), (0, 0, 0, 0)), ((4, 3, 3, 3), (1, 0, 0, 1)), ((1 << 40, 1), (0, 0))]
)
def test_views_of_less_than_they_show(tmp_path, module, size, strides):
    torch.save(sparse_strides(module.state_dict(), size, strides), tmp_path / "net.pth")
    with memory_below(200):
        assert "larger than the data" in refusal(tmp_path / "net.pth")


def test_a_negative_stride_written_by_hand(tmp_path, module):
    torch.save(module.state_dict(), tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as source, zipfile.ZipFile(tmp_path / "net.pth", "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                # Strides (27, 9, 3, 1) of the first convolution: the last becomes -1.
                old = b"K\x1bK\tK\x03K\x01t"
                assert old in data
                data = data.replace(old, b"K\x1bK\tK\x03J\xff\xff\xff\xfft", 1)
            target.writestr(entry.filename, data)
    assert "not a readable" in refusal(tmp_path / "net.pth")


def header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header(b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4000000000]}}') + bytes(4),
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}') + bytes(4),
        header(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"a":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"a":{"dtype":"PICKLE","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"a":' * 100_000),
        header(b"[" * 100_000),
        header(b'{"__metadata__":{"a":{}}}'),
        header(b'{"__metadata__":{"a":"' + b"x" * 1000 + b'"}}'),
        header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + bytes(4),
    ],
)  # fmt: skip
def test_safetensors_with_lying_headers(tmp_path, content):
    with memory_below(200):
        refusal(write(tmp_path / "net.safetensors", content))


def test_an_image_that_is_an_archive_too(tmp_path, module):
    torch.save(module.state_dict(), tmp_path / "plain.pth")
    path = write(tmp_path / "net.pth", b"\x89PNG\r\n\x1a\n" + (tmp_path / "plain.pth").read_bytes())
    assert "not a readable" in refusal(path)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.param", "net.bin"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file(tmp_path, name, kind):
    path = tmp_path / name
    NO_FILES[kind](path)
    with pytest.raises(InputError, match="no such file"):
        load_network(path)


@pytest.mark.parametrize("name", ["x" * 5000 + ".pth", "x" * 5000, "a\0b.pth", "a\0b", "\ud800.pth"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(InputError):
        load_network(name)


def test_keys_cannot_control_a_terminal(tmp_path):
    torch.save({"\x1b[2J\x1b]0;owned\x07.weight": torch.zeros(3)}, tmp_path / "net.pth")
    done = call_command("models", "show", tmp_path / "net.pth")
    errors = done.stderr
    assert done.returncode == 2 and errors.count("\n") == 1
    assert "\x1b" not in errors and "\x07" not in errors and "\\x1b[2J" in errors


def test_metadata_cannot_control_a_terminal(tmp_path, module):
    path = tmp_path / "\x1b[31mred.safetensors"
    path.write_bytes(save(module.state_dict(), {"global_residual": "true", "description": "\x1b[2J"}))
    done = call_command("models", "show", path)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "\\x1b[31mred" in done.stdout
