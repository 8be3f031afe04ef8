"""Finding a network's weights among everything that a checkpoint contains."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ddrscope.errors import printable

# The keys under which training programs keep a network's weights, as a dictionary or as a prefix of the weights'
# names, in the order in which they are tried, ignoring case. Averaged weights (see `_is_averaged`) come before all of
# them.
PLACES = (
    "params", "state_dict", "model_state_dict", "network_state_dict", "net_state_dict", "generator_state_dict",
    "netg_state_dict", "gen_state_dict", "g_state_dict", "model_state", "generator", "netg", "net_g", "gen", "g",
    "model_g", "g_model", "generator_model", "model", "network", "net", "weight", "weights", "module", "_orig_mod",
    "online_model",
)  # fmt: skip
_AVERAGED = re.compile(r"(?:^|[_-])(?:ema|swa|avg|averaged?|polyak|shadow)(?:[_-]|\d|$)", re.IGNORECASE)
# Between the words of emaModel and netEMA.
_WORD_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The decimal point of a decay, as in net_ema_0.999, does not separate names.
_DECIMAL_POINT = re.compile(r"(?<=[_-][01])\.(?=\d)")
_DISCRIMINATOR = re.compile(r"(?:^|[_-])(?:d|netd|disc|discriminator)(?:[_-]|$)", re.IGNORECASE)
# Dictionaries beside the weights whose tensors are no weights.
_TRAINING_STATE = re.compile(r"optim|.*optimizer|(?:lr_)?sched|.*rng|(?:grad_)?scaler|callbacks$|loops$", re.IGNORECASE)
# Tensors beside the weights. No network has a weight of such a name.
_BESIDE = re.compile(
    r"(?:train_|val_|best_|last_)?(?:loss|psnr|ssim|lpips|lr|score|metric)|epochs?|iters?|iterations?|(?:global_|current_)?steps?|step_counter"
    r"|n_averaged|num_updates|decay|initted|.*rng_?states?.*",
    re.IGNORECASE,
)
# Of prefixes and of dictionaries: ordinary checkpoints have two or three; a malicious one may contain itself.
MAX_DEPTH = 8
# Of the key of a dictionary: it is repeated before the name of each of its weights.
_MAX_NAME = 200


class Candidate(NamedTuple):
    """Weights that may be a network's, and the keys below which they lie (``place``, outermost first)."""

    place: tuple[str, ...]
    state: dict[str, Tensor]

    @property
    def averaged(self) -> bool:
        """Whether the keys say that these are averages over training steps."""
        return any(map(_is_averaged, self.place))


def flattened(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors in nested dictionaries under their joined names, as ``params.conv.weight``.

    Those of optimizers are left out. Averaged weights in a list, which have no names, are numbered.
    """
    found: dict[str, Tensor] = {}
    seen: set[int] = set()

    def visit(mapping: Mapping[Any, Any], prefix: str, depth: int) -> None:
        # One dictionary may occur many times, or within itself.
        if id(mapping) in seen or depth > MAX_DEPTH:
            return
        seen.add(id(mapping))
        for key, value in mapping.items():
            if not isinstance(key, str):
                continue
            if isinstance(value, Tensor):
                found.setdefault(prefix + key, value)
            elif isinstance(value, (list, tuple)) and _is_averaged(key):
                found.update(
                    (f"{prefix}{key}.{number}", item) for number, item in enumerate(value) if isinstance(item, Tensor)
                )
            elif isinstance(value, Mapping) and len(key) <= _MAX_NAME and not _TRAINING_STATE.match(key):
                visit(value, f"{prefix}{_DECIMAL_POINT.sub('_', key)}.", depth + 1)

    visit(content, "", 0)
    return found


def candidate_states(state: dict[str, Tensor], place: tuple[str, ...] = ()) -> Iterator[Candidate]:
    """What may be a network's weights: averaged ones first, then all as they are, then those below each of `PLACES`."""
    groups = _groups(state) if len(place) < MAX_DEPTH else {}
    averaged = [name for name in groups if _is_averaged(name)]
    for name in averaged:
        yield from candidate_states(groups[name], (*place, name))
    yield Candidate(place, {key: tensor for key, tensor in state.items() if "." in key or not _BESIDE.fullmatch(key)})
    known = sorted((name for name in groups if name.lower() in PLACES), key=lambda name: PLACES.index(name.lower()))
    for name in known or _only_name(groups, averaged):
        yield from candidate_states(groups[name], (*place, name))


def which_weights(taken: Candidate, state: dict[str, Tensor]) -> str:
    """One sentence on which weights were taken; empty if the checkpoint has one set of them, not averaged."""
    same = [_joined(place) for place in _places_of(taken.state, state) if place != taken.place]
    others = [candidate for candidate in candidate_states(state) if candidate.place != taken.place]
    unrecognized = [_joined(other.place) for other in others if other.averaged and _joined(other.place) not in same]
    if taken.averaged:
        unrecognized = []
    if not (taken.averaged or same or unrecognized):
        return ""
    place = f"those under {_joined(taken.place)!r}" if taken.place else "those outside all dictionaries"
    parts = [f"Weights: {place}{', averaged over training steps' if taken.averaged else ''}"]
    if same:
        parts.append(f"the file also contains {', '.join(map(repr, same[:3]))}")
    if unrecognized:
        parts.append(f"averaged ones under {unrecognized[0]!r} were not recognized")
    return f"{'; '.join(parts)}."


def _is_averaged(name: str) -> bool:
    name = _WORD_BREAK.sub("_", name)
    return _AVERAGED.search(name) is not None and not _DISCRIMINATOR.search(name) and not _TRAINING_STATE.match(name)


def _groups(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The weights by the first part of their names."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        name, dot, rest = key.partition(".")
        if dot and rest:
            groups.setdefault(name, {})[rest] = tensor
    return groups


def _only_name(groups: dict[str, dict[str, Tensor]], averaged: list[str]) -> list[str]:
    """A wrapper of any name, if it is the only one."""
    return [name for name in groups if not name.isdigit()] if len(groups) == 1 and not averaged else []


def _places_of(weights: dict[str, Tensor], state: dict[str, Tensor]) -> Iterator[tuple[str, ...]]:
    """The places, known or not, below which all names of these weights occur."""
    rarest = max(weights, key=len)
    for key in state:
        prefix = key.removesuffix(rarest)
        if key.endswith(rarest) and prefix[-1:] in ("", ".") and all(prefix + name in state for name in weights):
            yield tuple(prefix.split(".")[:-1])


def _joined(place: tuple[str, ...]) -> str:
    return printable(".".join(name[:40] for name in place))[:100]
