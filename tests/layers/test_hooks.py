from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features import collect_features
from ddrscope.layers import LayerName, all_layers, capture, resolve_layers
from ddrscope.layers.hooks import run_with_hooks
from toy_networks import Pair, Recurrent, SmallCnn, Wrapped, forward_pieces, hook_count, swinir


def test_captures_equal_a_computation_without_hooks(cnn: SmallCnn, batch: Tensor) -> None:
    expected = forward_pieces(cnn, batch)
    features = capture(cnn, batch, list(expected))
    for layer, tensor in expected.items():
        assert torch.equal(features[layer], tensor), layer


def test_a_layer_that_is_named_twice_is_captured_once_under_both_names(cnn: SmallCnn, batch: Tensor) -> None:
    found = capture(cnn, batch, ["body.0", "body.0#1", "body.0"])
    assert list(found) == ["body.0", "body.0#1"] and torch.equal(found["body.0"], found["body.0#1"])
    assert collect_features(cnn, [batch], ["body.0", "body.0"], ["pooled"])["body.0", "pooled"].shape[0] == len(batch)


@pytest.mark.parametrize("build", [SmallCnn, Recurrent, swinir])
def test_stopping_early_is_bit_equal_to_the_full_run(build: Callable[[], nn.Module]) -> None:
    module, x = build().eval(), torch.rand(2, 3, 16, 16)
    full: dict[str, Tensor] = {}

    def observe(layer: LayerName, tensor: Tensor | None) -> None:
        if not layer.is_input and tensor is not None:
            full[str(layer)] = tensor.clone()

    run_with_hooks(module, x, [layer.name for layer in all_layers(module, x)], observe)
    assert full
    for name, tensor in full.items():
        assert torch.equal(capture(module, x, [name])[name], tensor), name


def test_the_forward_pass_stops_after_the_last_layer(cnn: SmallCnn, batch: Tensor) -> None:
    ran: list[str] = []
    for name in ("body.0", "body.1", "conv_last"):
        cnn.get_submodule(name).register_forward_pre_hook(lambda _module, _args, name=name: ran.append(name))
    capture(cnn, batch, ["body.0"])
    assert ran == ["body.0"]


def test_a_network_that_catches_exceptions_cannot_swallow_the_stop(cnn: SmallCnn, batch: Tensor) -> None:
    def forgiving(inner: nn.Module, x: Tensor) -> Tensor:
        try:
            return inner(x)
        except Exception:
            pytest.fail("the stop was caught inside the network")

    assert capture(Wrapped(cnn, forgiving), batch, ["inner.body.0"])["inner.body.0"].shape == (3, 6, 12, 16)


def test_calls_of_a_reused_module_under_checkpoint_and_branches(batch: Tensor) -> None:
    module = Recurrent().eval()
    dark, bright = batch * 0.1, batch * 0.1 + 0.9
    assert resolve_layers(module, ["cell#*", "dark"], dark) == ["cell", "cell#2", "dark"]
    assert resolve_layers(module, ["cell#*"], bright) == ["cell", "cell#2", "cell#3", "cell#4"]
    with torch.no_grad():
        expected = module.head(bright)
        for _ in range(3):
            expected = module.cell(expected)
    assert torch.equal(capture(module, bright, ["cell#3"])["cell#3"], expected)
    assert torch.equal(capture(module, bright, ["cell#4:input"])["cell#4:input"], expected)
    with pytest.raises(InputError, match=r"'cell#3'.*called 'cell' 2 times"):
        capture(module, dark, ["cell#3"])
    with pytest.raises(InputError, match="'bright'.*0 times"):
        capture(module, dark, ["bright"])


def test_nested_outputs_and_keyword_inputs(batch: Tensor) -> None:
    pair = Pair()
    module = Wrapped(pair, lambda inner, x: inner(image=x)["maps"][1])
    features = capture(module, batch, ["inner", "inner:input"])
    with torch.no_grad():
        assert torch.equal(features["inner"], pair.conv(batch))
    assert torch.equal(features["inner:input"], batch)


def test_the_module_is_left_as_it_was(batch: Tensor) -> None:
    def failing(inner: nn.Module, x: Tensor) -> Tensor:
        inner(x)
        raise ZeroDivisionError

    module = Wrapped(SmallCnn(), failing).train()
    module.inner.body.eval()
    flags = [m.training for m in module.modules()]
    statistics = module.inner.norm.running_mean.clone()
    for call in (
        lambda: capture(module, batch, ["inner.body.0"]),
        lambda: pytest.raises(ZeroDivisionError, capture, module, batch, ["inner.head#2"]),
        lambda: pytest.raises(InputError, capture, module, batch, ["inner.nothing"]),
        lambda: pytest.raises(ZeroDivisionError, all_layers, module, batch),
    ):
        call()
        assert [m.training for m in module.modules()] == flags
        assert hook_count(module) == 0
    assert torch.equal(module.inner.norm.running_mean, statistics)


def test_run_stands_for_the_call(cnn: SmallCnn, batch: Tensor) -> None:
    bytes_wanted = capture(cnn, batch, ["head"], run=lambda x: cnn(x * 255))["head"]
    assert torch.equal(bytes_wanted, capture(cnn, batch * 255, ["head"])["head"])
