"""Which of a checkpoint's weights are taken: averaged ones first, whatever they are called and whatever lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel

from corrupt_files import refusal
from ddrscope.networks import SRResNet, load_network

BATCH = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(5))
State = dict[str, torch.Tensor]


def drawn(seed: int) -> SRResNet:
    torch.manual_seed(seed)
    return SRResNet(channels=4, blocks=2, scale=2).eval()


RAW, AVERAGED = drawn(1).state_dict(), drawn(2).state_dict()


def under(prefix: str, state: State) -> State:
    return {f"{prefix}.{key}": tensor for key, tensor in state.items()}


def output_of(state: State) -> torch.Tensor:
    module = drawn(3)
    module.load_state_dict(state)
    with torch.inference_mode():
        return module(BATCH)


def loaded(path: Path) -> tuple[torch.Tensor, str]:
    network = load_network(path, global_residual=True)
    return network(BATCH), " ".join(network.notes)


# Raw and averaged weights as training programs write them.
PAIRS: dict[str, Callable[[State, State], dict[str, Any]]] = {
    "BasicSR": lambda raw, ema: {"params": raw, "params_ema": ema},
    "BasicSR, the other order": lambda raw, ema: {"params_ema": ema, "params": raw},
    "MMagic": lambda raw, ema: {
        "meta": {"epoch": 3},
        "state_dict": under("generator", raw) | under("generator_ema", ema) | under("discriminator", raw)
        | {"step_counter": torch.tensor(7)},
    },
    "timm": lambda raw, ema: {"epoch": 3, "state_dict": raw, "state_dict_ema": ema, "metric": 31.5},
    "StyleGAN": lambda raw, ema: {"g": raw, "g_ema": ema, "d": {"weight": torch.zeros(3)}, "d_ema": {"weight": torch.zeros(3)}},
    "ema-pytorch": lambda raw, ema: {
        "ema": under("online_model", raw) | under("ema_model", ema) | {"initted": torch.tensor(True), "step": torch.tensor(9)},
        "model": raw,
    },
    "two dictionaries": lambda raw, ema: {"model": {"net": raw}, "model_ema": {"net": ema}},
    "prefixes of a Lightning module": lambda raw, ema: {"state_dict": under("model", raw) | under("ema_model", ema)},
    "stochastic weight averaging": lambda raw, ema: {
        "model_state_dict": raw, "swa_model": under("module", ema) | {"n_averaged": torch.tensor(5)},
    },
    "parallel": lambda raw, ema: under("module.netG", raw) | under("module.netG_ema", ema),
    "capitals": lambda raw, ema: {"G": raw, "G_EMA": ema},
    "words run together": lambda raw, ema: {"model": raw, "emaModel": ema},
    "decay in the name": lambda raw, ema: {"net": raw, "net_ema_0.999": ema},
    "shadow": lambda raw, ema: {"model": raw, "ema_helper": {"shadow": ema, "decay": 0.999}},
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
def test_averaged_weights_come_first_and_it_is_said(tmp_path: Path, kind: str) -> None:
    torch.save(PAIRS[kind](RAW, AVERAGED), tmp_path / "net.pth")
    output, notes = loaded(tmp_path / "net.pth")
    assert torch.equal(output, output_of(AVERAGED)) and not torch.equal(output, output_of(RAW))
    assert "averaged" in notes and ("ema" in notes.lower() or "swa" in notes)


ALONE: dict[str, Callable[[State], dict[str, Any]]] = {
    "averaged alone": lambda state: under("generator_ema", state),
    "averaged dictionary alone": lambda state: {"model_ema_state_dict": state, "epoch": 1},
    "AveragedModel": lambda state: under("module", state) | {"n_averaged": torch.tensor(5)},
    "weight": lambda state: {"weight": state, "epoch": 3},
    "GAN": lambda state: {"netG_state_dict": state, "netD_state_dict": {"0.weight": torch.zeros(3)}},
    "compiled and parallel": lambda state: {"netG": under("module._orig_mod", state), "epoch": 3},
    "gen": lambda state: {"gen": state, "dis": {"weight": torch.zeros(3)}},
    "network state": lambda state: {"network_state_dict": state},
    "any name": lambda state: {"my_own_name": state},
    "any name within another": lambda state: {"checkpoint": {"upscaler": state}},
}


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_wrappers_and_prefixes_are_one_table(tmp_path: Path, kind: str, suffix: str) -> None:
    """What unwraps a dictionary also strips a prefix: a converted file keeps the names, joined."""
    content, path = ALONE[kind](RAW), tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save(content, path)
    else:
        save_file(joined(content), path)
    assert torch.equal(loaded(path)[0], output_of(RAW))


def joined(content: dict[str, Any], prefix: str = "") -> State:
    flat: State = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= joined(value, f"{prefix}{key}.")
        elif isinstance(value, torch.Tensor):
            flat[prefix + key] = value.clone()
    return flat


BESIDE: dict[str, dict[str, Any]] = {
    "loss": {"loss": torch.tensor(0.1)},
    "iteration": {"iter": torch.tensor(500), "global_step": torch.tensor(500), "best_psnr": torch.tensor(30.0)},
    "random state": {"rng_state": torch.get_rng_state(), "cuda_rng_state": [torch.get_rng_state()]},
    "optimizer": {"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}},
    "optimizer by name": {"optim_state": {"conv_first.weight": {"exp_avg": torch.zeros(4, 3, 3, 3)}}},
}


@pytest.mark.parametrize("kind", BESIDE)
@pytest.mark.parametrize("wrapped", [True, False])
def test_tensors_beside_the_weights_do_not_hide_them(tmp_path: Path, kind: str, wrapped: bool) -> None:
    beside = BESIDE[kind]
    torch.save(beside | ({"params": RAW} if wrapped else dict(RAW)), tmp_path / "net.pth")
    output, notes = loaded(tmp_path / "net.pth")
    assert torch.equal(output, output_of(RAW)) and "averaged" not in notes


def test_an_averaged_discriminator_is_no_network(tmp_path: Path) -> None:
    torch.save({"netG": RAW, "netD_ema": AVERAGED}, tmp_path / "net.pth")
    assert torch.equal(loaded(tmp_path / "net.pth")[0], output_of(RAW))


def test_averaged_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Latent diffusion's averages have names without dots."""
    dotless = {key.replace(".", ""): tensor for key, tensor in AVERAGED.items()}
    torch.save({"state_dict": under("model", RAW) | under("model_ema", dotless)}, tmp_path / "net.pth")
    output, notes = loaded(tmp_path / "net.pth")
    assert torch.equal(output, output_of(RAW)) and "model_ema" in notes and "not recognized" in notes


def test_averaged_weights_without_names_are_named(tmp_path: Path) -> None:
    """As torch_ema keeps them."""
    averaged = {"decay": 0.99, "num_updates": 3, "shadow_params": list(AVERAGED.values()), "collected_params": None}
    torch.save({"model": RAW, "ema": averaged}, tmp_path / "net.pth")
    output, notes = loaded(tmp_path / "net.pth")
    assert torch.equal(output, output_of(RAW)) and "'ema" in notes and "not recognized" in notes


@pytest.mark.parametrize("beside", ["best_model", "student.first", "shadow"])
def test_another_set_of_the_same_weights_is_named(tmp_path: Path, beside: str) -> None:
    torch.save({"model": RAW} | under(beside, AVERAGED), tmp_path / "net.pth")
    output, notes = loaded(tmp_path / "net.pth")
    taken, other = ("shadow", "model") if beside == "shadow" else ("model", beside)
    assert torch.equal(output, output_of(AVERAGED if beside == "shadow" else RAW))
    assert repr(taken) in notes and repr(other) in notes


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8])
def test_quantized_weights_are_not_taken_for_floats(tmp_path: Path, kind: torch.dtype) -> None:
    torch.save({key: (30 * tensor).to(kind) for key, tensor in RAW.items()}, tmp_path / "net.pth")
    assert "quantized" in refusal(tmp_path / "net.pth")


def test_a_file_of_one_set_of_weights_needs_no_words(tmp_path: Path) -> None:
    for number, content in enumerate((RAW, {"params": RAW}, {"state_dict": under("generator", RAW)})):
        torch.save(content, tmp_path / f"{number}.pth")
        assert "under" not in loaded(tmp_path / f"{number}.pth")[1]


def test_pytorchs_own_averages(tmp_path: Path) -> None:
    averaged = AveragedModel(drawn(2))
    averaged.update_parameters(drawn(4))
    torch.save({"ema": averaged.state_dict(), "model": RAW}, tmp_path / "net.pth")
    assert torch.equal(loaded(tmp_path / "net.pth")[0], output_of(averaged.module.state_dict()))


def test_dictionaries_that_hold_each_other_end(tmp_path: Path) -> None:
    """Each of ten levels holds the next ten times over: ten billion ways to one tensor."""
    inner: dict[str, Any] = {"weight": torch.zeros(2)}
    for _ in range(10):
        inner = {f"ema_{number}": inner for number in range(10)}
    torch.save(inner, tmp_path / "net.pth")
    refusal(tmp_path / "net.pth")
