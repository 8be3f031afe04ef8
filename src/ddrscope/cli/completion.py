"""What the shell offers on Tab for the values of arguments and options."""

from __future__ import annotations


def complete_network(incomplete: str) -> list[str]:
    """The names of networks that begin with ``incomplete``."""
    from ddrscope.networks.zoo import network_names

    return [name for name in network_names() if name.startswith(incomplete)]


def complete_degradation(incomplete: str) -> list[str]:
    """Degradations up to their level; in ``clean blur:2+no`` the last one is completed."""
    from ddrscope.degradations import list_degradations

    start = max(incomplete.rfind(separator) for separator in " +") + 1
    before, last = incomplete[:start], incomplete[start:]
    names = ["clean", *(f"{degradation.family}:" for degradation in list_degradations())]
    return [before + name for name in names if name.startswith(last)]


# By the name of the parameter, which means the same in every command.
COMPLETERS = {
    "network": complete_network,
    "networks": complete_network,
    "degradation": complete_degradation,
    "degradations": complete_degradation,
}
