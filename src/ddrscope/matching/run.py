"""`match`: the degradation that makes clean photographs resemble real images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain
from ddrscope.errors import InputError
from ddrscope.features.threads import torch_threads
from ddrscope.images import ImageFile, bundled_photos, find_images
from ddrscope.io.files import exists
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.matching.alternatives import find_alternatives
from ddrscope.matching.bank_files import load_bank, save_bank
from ddrscope.matching.describing import TileDescriber
from ddrscope.matching.fitting import Fit, Search
from ddrscope.matching.judging import (
    Points,
    block_statistics,
    discrepancy_of,
    gain_of,
    made_or_real,
    split_discrepancy,
)
from ddrscope.matching.output import OUTPUTS, write_outputs
from ddrscope.matching.photographs import CleanPhotographs, held_out, split_photographs
from ddrscope.matching.presets import PRESETS
from ddrscope.matching.result import FEW_IMAGES, MatchResult, Resemblance
from ddrscope.matching.settings import CHAINS, SCALE, TILES, MatchSettings
from ddrscope.matching.tiles import SIDE, Tiles, read_tiles
from ddrscope.metrics.estimate import Estimate
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.skipped import SkippedImage

# Fewer images say nothing of a distribution.
MIN_IMAGES, MIN_TILES = 5, 20
# Tiles of each kind that a classifier tells apart.
JUDGED = 400
# The number of the regions that are drawn for judging, unlike those of the search's rounds.
_JUDGING = 99


def match(
    images: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    hr: str | Path | Sequence[str | Path] = (),
    scale: int = SCALE,
    chains: int = CHAINS,
    tiles: int = TILES,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> MatchResult:
    """Find the degradation that makes clean photographs resemble real images, as a recipe for training.

    Args:
        images: Real LR images, 30 or more: folders, globs, lists or files. They need no counterpart in HR.
        out: Folder for ``recipe.json``, ``match.json``, ``sheet.png`` and ``configs``. None: nothing is written.
        hr: Clean photographs of at least ``64 * scale`` pixels a side. Default: the bundled ones.
        scale: The factor from LR to HR; 1 for restoration at the same size.
        chains: The number of degradation chains that are tried at first; half as many are tried
            three times more.
        tiles: The largest number of tiles of 64 x 64 pixels of the real images.
        resume: Continue the run in ``out``; start if there is none.
        overwrite: Replace an earlier run in ``out``.
        seed: Of all choices.
        threads: Processor threads; 0 for all.
        progress: Where progress is reported.

    Returns:
        The recipe, how well it resembles the images, and what the images do not show.

    Raises:
        InputError: There are too few images or photographs that can be used, or a parameter is out of range.
        RunConflictError: ``out`` is not empty and neither ``resume`` nor ``overwrite`` is given.

    Examples:
        >>> result = ddrscope.match("real_lr", "matched", hr="DIV2K_train_HR")
        >>> print(result.verdict())
        >>> lr = result.recipe.sample(rng).apply(hr, rng)
        >>> print(result.to_config("trainner-redux").text)
    """
    sources = [images] if isinstance(images, str | Path) else list(images)
    clean = [hr] if isinstance(hr, str | Path) else list(hr)
    settings = MatchSettings(tuple(map(str, sources)), tuple(map(str, clean)), scale, chains, tiles, seed)
    with torch_threads(threads):
        files = find_images(sources), find_images(clean or [bundled_photos()])
        run = _Run(settings, *files, progress or NullProgress())
        if out is None:
            with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
                return run.result(Path(parts), None)
        directory = RunDirectory(
            out, settings.to_dict(), OUTPUTS, inputs=_hashes(*files), resume=resume, overwrite=overwrite
        )
        # Before earlier results are replaced, and before they are found to be in the way after minutes of work.
        directory.check()
        run.read()
        with directory:
            result = run.result(directory.parts, expand_path(out))
            directory.finish()
        return result


def _hashes(real: Sequence[ImageFile], clean: Sequence[ImageFile]) -> dict[str, str]:
    """What tells the images of a run from those of another: names, sizes and times."""
    digests = {}
    for name, files in (("images", real), ("hr", clean)):
        digest = sha256()
        for file in files:
            digest.update(f"{file.name} {_state(file)}\n".encode("utf-8", "surrogateescape"))
        digests[name] = digest.hexdigest()
    return digests


def _state(file: ImageFile) -> str:
    try:
        state = file.path.stat() if isinstance(file.path, Path) else None
    except OSError:
        # It is reported when it is read.
        return "missing"
    return f"{state.st_size} {state.st_mtime_ns}" if state else ""


class _Run:
    """One run. Banks are kept in files, so that a run that is repeated goes on where it stopped."""

    def __init__(
        self, settings: MatchSettings, real: list[ImageFile], clean: list[ImageFile], progress: Progress
    ) -> None:
        self.settings, self.progress = settings, progress
        self._files = real, *split_photographs(clean)
        self.skipped: list[SkippedImage] = []
        self._read = False

    def read(self) -> None:
        """Read images and photographs; raises `InputError` if they are too few."""
        if self._read:
            return
        real, searching, judging = self._files
        self.progress.start("reading", len(real) + len(searching) + len(judging))
        self.tiles = read_tiles(real, self.settings.tiles, self.settings.seed, self.skipped, self.progress.advance)
        self.images = len(np.unique(self.tiles.photos))
        if self.images < MIN_IMAGES or len(self.tiles) < MIN_TILES:
            raise InputError(
                f"`images`: {self.images} images with {len(self.tiles)} tiles of {SIDE} x {SIDE} pixels can be used, and "
                f"{MIN_IMAGES} with {MIN_TILES} are needed: give more or larger images{self._first_skipped()}"
            )
        before = len(self.skipped)
        self.searching, self.judging = (
            CleanPhotographs(files, self.settings.scale, self.settings.seed, self.skipped, self.progress.advance)
            for files in (searching, judging)
        )
        if min(len(self.searching.names), len(self.judging.names)) < 2:
            side = SIDE * self.settings.scale
            raise InputError(
                f"`hr`: {len(self.searching.names) + len(self.judging.names)} photographs of at least {side} pixels a side "
                f"can be used, and 6 are needed, a third of them to judge: give more or larger ones, or a smaller `scale`"
                f"{self._first_skipped(before)}"
            )
        self._read = True

    def _first_skipped(self, before: int = 0) -> str:
        return f" ({self.skipped[before].path}: {self.skipped[before].reason})" if len(self.skipped) > before else ""

    def result(self, parts: Path, out: Path | None) -> MatchResult:
        """Search, judge and write."""
        self.read()
        self.describe = TileDescriber()
        real = self.describe(self.tiles.pixels)
        judges = held_out(self.tiles.photos) if self.images >= FEW_IMAGES else np.zeros(len(self.tiles), bool)
        fit = self._search(real[~judges], parts)
        recipe = fit.recipe(self.settings.scale)
        rows = np.flatnonzero(judges if judges.any() else ~judges)
        rows = np.sort(np.random.default_rng(self.settings.seed).permutation(rows)[:JUDGED])
        distance, alternatives = find_alternatives(fit, real[~judges])
        resemblance, gain = self._judge(recipe.sample, fit, self.tiles.chosen(rows), real[rows])
        result = MatchResult(
            recipe=recipe,
            images=self.images,
            tiles=len(self.tiles),
            held_out=bool(judges.any()),
            photographs=(len(self.searching.names), len(self.judging.names)),
            resemblance=resemblance,
            gain=gain,
            chance=split_discrepancy(Points(fit.project(real), self.tiles.photos), self.settings.seed),
            distance=distance,
            alternatives=alternatives,
            skipped=tuple(self.skipped),
            notes=tuple(self._notes()),
            out=None if out is None else str(out),
        )
        return result if out is None else write_outputs(result, out, self.tiles, self.judging, self.settings.seed)

    def _notes(self) -> list[str]:
        if self.images >= FEW_IMAGES:
            return []
        return [
            f"{self.images} images are few: the recipe fits them and may not fit others, and the same images judge it. Give "
            f"{FEW_IMAGES} or more"
        ]

    def _search(self, real: NDArray[np.float64], parts: Path) -> Fit:
        search = Search(real, self.searching, self.describe, self.settings.chains, self.settings.seed)
        self.progress.start("chains", sum(search.sizes()))
        fit: Fit | None = None
        for number, size in enumerate(search.sizes()):
            path = parts / f"bank-{number}.npz"
            if exists(path):
                bank = load_bank(path)
                self.progress.advance(size)
            else:
                bank = search.make(number, fit, self.progress.advance)
                save_bank(path, bank)
            fit = search.fit(bank, fit)
        assert fit is not None
        return fit

    def _judge(
        self,
        sample: Callable[[np.random.Generator], DegradationChain],
        fit: Fit,
        tiles: Tiles,
        real: NDArray[np.float64],
    ) -> tuple[dict[str, Resemblance], Estimate]:
        """Made tiles of the recipe and of what others train with, beside real ones; and the gain over shrinking alone."""
        draws: dict[str, Callable[[np.random.Generator], DegradationChain]] = {"matched": sample}
        draws |= {name: partial(_preset, name, self.settings.scale) for name in PRESETS}
        target, blocks = Points(fit.project(real), tiles.photos), block_statistics(tiles.pixels)
        names = self.judging.names
        photos = np.array([names[index % len(names)] for index in range(len(tiles))])
        self.progress.start("judging", len(draws))
        found, projected = {}, {}
        for name, draw in draws.items():
            rng = np.random.default_rng([self.settings.seed, _JUDGING])
            makers = self.judging.make_tiles(_JUDGING)
            made = np.stack([next(makers)(draw(rng), rng) for _ in photos])
            features = self.describe(made)
            projected[name] = Points(fit.project(features), photos)
            found[name] = Resemblance(
                discrepancy_of(projected[name], target),
                made_or_real(Points(features, photos), Points(real, tiles.photos)),
                made_or_real(Points(block_statistics(made), photos), Points(blocks, tiles.photos)),
            )
            self.progress.advance()
        return found, gain_of(projected["matched"], projected["bicubic"], target)


def _preset(name: str, scale: int, rng: np.random.Generator) -> DegradationChain:
    return PRESETS[name](rng, scale)
