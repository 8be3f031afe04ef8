"""The search for chains whose tiles look like those of real images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain
from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.matching.describing import ContentFree, TileDescriber
from ddrscope.matching.kernel import group_kernel, kernel, matching_weights
from ddrscope.matching.photographs import CleanPhotographs
from ddrscope.matching.prior import draw_chain, varied_chain

# Tiles that each chain makes, of different photographs.
PER_CHAIN = 4
# The bank is drawn anew around its best chains so often, with numbers varied by these shares.
VARIATIONS = (0.25, 0.12, 0.06)
# Chains of a refined bank that are varied from the best ones, the others are new; and the least weight that counts.
_VARIED, _LEAST = 0.8, 1e-4
# Chains whose tiles are described together.
_AT_ONCE = 32


@dataclass(frozen=True)
class Bank:
    """Chains, and what their tiles look like.

    Attributes:
        chains: The chains.
        features: Of `PER_CHAIN` tiles of each chain, in turn, (C * PER_CHAIN, D).
    """

    chains: tuple[DegradationChain, ...]
    features: NDArray[np.float64]

    @property
    def members(self) -> NDArray[np.int64]:
        """The index of the chain of each tile."""
        return np.repeat(np.arange(len(self.chains)), PER_CHAIN)

    def chosen(self, indices: NDArray[np.int64]) -> Bank:
        """Some of the chains."""
        rows = (indices[:, None] * PER_CHAIN + np.arange(PER_CHAIN)).ravel()
        return Bank(tuple(self.chains[index] for index in indices), self.features[rows])

    def with_more(self, other: Bank) -> Bank:
        """These chains and others."""
        return Bank(self.chains + other.chains, np.concatenate([self.features, other.features]))


@dataclass(frozen=True)
class Similarities:
    """How alike the tiles of chains are, and how alike they and real tiles are.

    Attributes:
        own: The mean kernel of the tiles of each two chains, (C, C).
        towards: That of the tiles of each chain and real ones, (C,).
        real: That of real tiles among each other.
    """

    own: NDArray[np.float64]
    towards: NDArray[np.float64]
    real: float

    @classmethod
    def of(cls, bank: Bank, project: ContentFree, real: NDArray[np.float64]) -> Similarities:
        """Compare a bank with real features (N, D)."""
        points, target = project(bank.features), project(real)
        own = group_kernel(points, points, PER_CHAIN).reshape(len(bank.chains), -1, PER_CHAIN).mean(2)
        return cls(own, group_kernel(points, target, PER_CHAIN).mean(1), float(kernel(target, target).mean()))

    def weights(self, kept: NDArray[np.int64]) -> NDArray[np.float64]:
        """The weights of some chains whose mixture is nearest to the real tiles."""
        return matching_weights(self.own[np.ix_(kept, kept)], self.towards[kept])

    def distance(self, kept: NDArray[np.int64]) -> float:
        """How near that mixture is: the squared discrepancy, with the tiles' own similarity."""
        weights = self.weights(kept)
        return float(weights @ self.own[np.ix_(kept, kept)] @ weights - 2 * weights @ self.towards[kept] + self.real)


@dataclass(frozen=True)
class Fit:
    """Where a search has come to.

    Attributes:
        bank: The chains of the last round, and the best ones before.
        weights: Of these chains.
        project: The directions in which tiles are compared.
        first: The chains of the first round, which cover all degradations evenly.
    """

    bank: Bank
    weights: NDArray[np.float64]
    project: ContentFree
    first: Bank

    def recipe(self, scale: int) -> DegradationRecipe:
        """The chains that have weight."""
        kept = np.flatnonzero(self.weights > _LEAST)
        return DegradationRecipe(scale, self.bank.chosen(kept).chains, self.weights[kept] / self.weights[kept].sum())


class Search:
    """The search for chains, round by round: a bank of chains, then banks around the best of them.

    Args:
        real: Features of tiles of real images, (N, D).
        photographs: Of which tiles are made.
        describe: Describes tiles.
        chains: The size of the first bank; those around it are half as large.
        seed: Of the chains.
    """

    def __init__(
        self, real: NDArray[np.float64], photographs: CleanPhotographs, describe: TileDescriber, chains: int, seed: int
    ) -> None:
        self.real, self.photographs, self.describe = real, photographs, describe
        self.chains, self.seed = chains, seed

    def sizes(self) -> list[int]:
        """The number of chains that each round makes."""
        return [self.chains] + [self.chains // 2] * len(VARIATIONS)

    def make(self, number: int, before: Fit | None, advance: Callable[[int], None] = lambda _: None) -> Bank:
        """The chains of a round with what their tiles look like; the same whenever it is made.

        Args:
            number: Of the round, from 0.
            before: The fit of the round before.
            advance: Called with numbers of chains.
        """
        rng = np.random.default_rng([self.seed, number])
        scale, size = self.photographs.scale, self.sizes()[number]
        if before is None:
            fresh = [draw_chain(rng, scale) for _ in range(size)]
        else:
            best = before.recipe(scale)
            fresh = [
                varied_chain(
                    best.chains[int(rng.choice(len(best.chains), p=best.weights))], rng, scale, VARIATIONS[number - 1]
                )
                if rng.random() < _VARIED
                else draw_chain(rng, scale)
                for _ in range(size)
            ]
        makers, features = self.photographs.make_tiles(number), []
        for start in range(0, size, _AT_ONCE):
            part = fresh[start : start + _AT_ONCE]
            tiles = [next(makers)(chain, rng) for chain in part for _ in range(PER_CHAIN)]
            features.append(self.describe(np.stack(tiles)))
            advance(len(part))
        return Bank(tuple(fresh), np.concatenate(features))

    def fit(self, made: Bank, before: Fit | None) -> Fit:
        """Weigh the chains of a round, together with the best ones before."""
        # Directions come from the first bank, which covers all degradations evenly.
        project = before.project if before else ContentFree.fit(made.features, made.members)
        bank = before.bank.chosen(np.flatnonzero(before.weights > _LEAST)).with_more(made) if before else made
        weights = Similarities.of(bank, project, self.real).weights(np.arange(len(bank.chains)))
        return Fit(bank, weights, project, before.first if before else made)
