"""Finding a network's weights among all that a checkpoint holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from ddrscope.errors import printable

# Where training programs keep a network's weights, as a dictionary or as the beginning of the weights' names. The order is that in
# which they are tried, whatever their case; averaged ones (see `_is_averaged`) come before all of them.
PLACES = (
    "params", "state_dict", "model_state_dict", "network_state_dict", "net_state_dict", "generator_state_dict", "model_state",
    "generator", "netg", "net_g", "gen", "g", "model", "network", "net", "weight", "weights", "module", "_orig_mod", "online_model",
)  # fmt: skip
_AVERAGED = re.compile(r"(?:^|[_-])(?:ema|swa|avg|averaged?|polyak|shadow)(?:[_-]|\d|$)", re.IGNORECASE)
# As in emaModel and netEMA.
_NEXT_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The point of a decay, as in net_ema_0.999, is no end of a name.
_POINT_OF_DECAY = re.compile(r"(?<=[_-][01])\.(?=\d)")
_OPPONENT = re.compile(r"(?:^|[_-])(?:d|netd|disc|discriminator)(?:[_-]|$)", re.IGNORECASE)
# Dictionaries beside the weights, whose tensors are none.
_STATE_OF_TRAINING = re.compile(
    r"optim|.*optimizer|(?:lr_)?sched|.*rng|(?:grad_)?scaler|callbacks$|loops$", re.IGNORECASE
)
# Tensors beside the weights. No network calls a weight of its own so.
_BESIDE = re.compile(
    r"(?:train_|val_|best_|last_)?(?:loss|psnr|ssim|lpips|lr|score|metric)|epochs?|iters?|iterations?|(?:global_|current_)?steps?|step_counter"
    r"|n_averaged|num_updates|decay|initted|.*rng_?states?.*",
    re.IGNORECASE,
)
# Prefixes within prefixes, and wrappers within wrappers: honest files have two or three; a hostile one may hold itself.
DEEPEST = 8
# A name longer than this is none of a wrapper; a hostile one would be repeated before each weight.
_LONGEST_NAME = 200


class Candidate(NamedTuple):
    """Weights that may be a network's, with the names under which they lie (``place``, outermost first)."""

    place: tuple[str, ...]
    state: dict[str, Tensor]

    @property
    def averaged(self) -> bool:
        """Whether the names say that these are averages over training steps."""
        return any(map(_is_averaged, self.place))


def flattened(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors in nested dictionaries under their joined names, ``params.conv.weight``; those of optimizers are left out.

    Averaged ones in a list, which gives them no names, are numbered.
    """
    found: dict[str, Tensor] = {}
    seen: set[int] = set()

    def visit(mapping: Mapping[Any, Any], prefix: str, depth: int) -> None:
        # A file may hold one dictionary many times over, or within itself.
        if id(mapping) in seen or depth > DEEPEST:
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
            elif isinstance(value, Mapping) and len(key) <= _LONGEST_NAME and not _STATE_OF_TRAINING.match(key):
                visit(value, f"{prefix}{_POINT_OF_DECAY.sub('_', key)}.", depth + 1)

    visit(content, "", 0)
    return found


def candidate_states(state: dict[str, Tensor], place: tuple[str, ...] = ()) -> Iterator[Candidate]:
    """What may be a network's weights, averaged ones first, then the weights as they are, then what lies under each of `PLACES`."""
    groups = _groups(state) if len(place) < DEEPEST else {}
    averaged = [name for name in groups if _is_averaged(name)]
    for name in averaged:
        yield from candidate_states(groups[name], (*place, name))
    yield Candidate(place, {key: tensor for key, tensor in state.items() if "." in key or not _BESIDE.fullmatch(key)})
    known = sorted((name for name in groups if name.lower() in PLACES), key=lambda name: PLACES.index(name.lower()))
    for name in known or _only_name(groups, averaged):
        yield from candidate_states(groups[name], (*place, name))


def which_weights(taken: Candidate, state: dict[str, Tensor]) -> str:
    """One sentence on which of a file's weights were taken, where it holds several or averaged ones; else empty."""
    same = [_shown(place) for place in _places_of(taken.state, state) if place != taken.place]
    others = [one for one in candidate_states(state) if one.place != taken.place]
    passed = (
        []
        if taken.averaged
        else [_shown(one.place) for one in others if one.averaged and _shown(one.place) not in same]
    )
    if not (taken.averaged or same or passed):
        return ""
    where = f"those under {_shown(taken.place)!r}" if taken.place else "those outside all dictionaries"
    said = [f"Weights: {where}{', averaged over training steps' if taken.averaged else ''}"]
    if same:
        said.append(f"the file also holds {', '.join(map(repr, same[:3]))}")
    if passed:
        said.append(f"averaged ones under {passed[0]!r} were not recognized")
    return f"{'; '.join(said)}."


def _is_averaged(name: str) -> bool:
    name = _NEXT_WORD.sub("_", name)
    return _AVERAGED.search(name) is not None and not _OPPONENT.search(name) and not _STATE_OF_TRAINING.match(name)


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
    """Under which names, known ones or not, all of these weights' names lie."""
    rarest = max(weights, key=len)
    for key in state:
        prefix = key.removesuffix(rarest)
        if key.endswith(rarest) and prefix[-1:] in ("", ".") and all(prefix + name in state for name in weights):
            yield tuple(prefix.split(".")[:-1])


def _shown(place: tuple[str, ...]) -> str:
    return printable(".".join(name[:40] for name in place))[:100]
