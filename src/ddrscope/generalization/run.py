"""Networks x sets: one score each, intervals over photographs, a ranking."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.batch.executors import make_executor
from ddrscope.generalization.jobs import Piece, ScoringTask, ScoringWorker
from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.generalization.summary import summarize
from ddrscope.io.files import atomic_write
from ddrscope.networks import Network
from ddrscope.progress import NullProgress, Progress


def generalize(
    networks: str | Path | Network | Sequence[str | Path | Network],
    images: str | Path | Sequence[str | Path] = (),
    degradations: Sequence[str] = (),
    sets: Mapping[str, str | Path] | None = None,
    **options: Any,
) -> GeneralizationResult:
    """Score networks without ground truth (SRGA): how differently does each treat each set from the reference?

    ``networks`` as `analyze` takes them; ``images`` clean images (default: the bundled photographs) for the ``degradations``; ``sets``
    maps names to folders of small images. ``options`` are the other fields of `GeneralizationSettings`.
    """
    given = [networks] if isinstance(networks, str | Path | Network) else list(networks)
    settings = GeneralizationSettings(
        networks=tuple(one.name if isinstance(one, Network) else str(one) for one in given),
        images=(str(images),) if isinstance(images, str | Path) else tuple(map(str, images)),
        degradations=tuple(degradations),
        sets={name: str(folder) for name, folder in (sets or {}).items()},
        **options,
    )
    with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
        named = {one.name: one for one in given if isinstance(one, Network)}
        return GeneralizationRun(settings, Path(parts), named=named).run()


class GeneralizationRun:
    """One run whose finished pieces, a network on a set, are kept in ``parts``: begun again, it goes on where it stopped.

    With ``cluster`` (as `make_executor` takes it) pieces are made by workers of ``threads`` threads there.
    """

    def __init__(
        self,
        settings: GeneralizationSettings,
        parts: Path,
        progress: Progress | None = None,
        named: Mapping[str, Network] | None = None,
        cluster: str | None = None,
        threads: int = 1,
    ) -> None:
        self.settings, self.parts = settings, parts
        self.progress = progress or NullProgress()
        self.named = dict(named or {})
        self.cluster, self.threads = cluster, threads

    def run(self) -> GeneralizationResult:
        """Score what is not scored yet and put the result together."""
        made = ScoringWorker(self.settings, self.named, self.parts, self.progress)
        wanted = [(number, name) for name in made.sets for number in range(len(made.networks))]
        files = {piece: self._part(made.networks[piece[0]], piece[1]) for piece in wanted}
        missing = [(number, piece) for number, piece in enumerate(wanted) if not files[piece].exists()]
        for number, content in self._share_out(made, missing):
            with atomic_write(files[wanted[number]]) as temporary:
                temporary.write_bytes(content)
        pieces = {(made.networks[number].name, name): _read_piece(files[number, name]) for number, name in wanted}
        return summarize(self.settings, made.networks, made.layers, pieces, made.notes, made.skipped)

    def _share_out(self, made: ScoringWorker, missing: list[tuple[int, Piece]]) -> Iterator[tuple[int, bytes]]:
        executor = make_executor(ScoringTask(self.settings), self.cluster, self.threads, made)
        if self.cluster is None:
            # The worker itself reports what it does.
            yield from executor.run(missing)
            return
        self.progress.start("networks on sets", len(missing))
        for done in executor.run(missing):
            yield done
            self.progress.advance()

    def _part(self, network: Network, name: str) -> Path:
        # By the weights too: a checkpoint may be another one when the run is resumed.
        key = "|".join((network.name, network.sha256, name))
        return self.parts / f"{blake2b(key.encode(), digest_size=12).hexdigest()}.npz"


def _read_piece(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
