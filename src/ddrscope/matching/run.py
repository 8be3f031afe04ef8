"""`match`: the degradation that makes clean photographs resemble real images."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain, parse_chain
from ddrscope.errors import InputError
from ddrscope.features.threads import torch_threads
from ddrscope.images import ImageFile, bundled_photos, find_images
from ddrscope.io.files import atomic_write, exists, write_json
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.matching.alternatives import find_alternatives
from ddrscope.matching.configs import TARGETS
from ddrscope.matching.describing import TileDescriber
from ddrscope.matching.fitting import Bank, Fit, RegionSource, Search
from ddrscope.matching.judging import Points, block_statistics, discrepancy_floor, discrepancy_of, made_or_real
from ddrscope.matching.kernel import discrepancy
from ddrscope.matching.presets import PRESETS
from ddrscope.matching.result import MatchResult, Resemblance
from ddrscope.matching.settings import CHAINS, SCALE, TILES, MatchSettings
from ddrscope.matching.tiles import SIDE, Tiles, read_tiles
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.skipped import SkippedImage

_logger = logging.getLogger("ddrscope")
RECIPE, SUMMARY, SHEET, CONFIGS = "recipe.json", "match.json", "sheet.png", "configs"
OUTPUTS = (RECIPE, SUMMARY, SHEET, CONFIGS)
# Fewer images say nothing of a distribution.
MIN_IMAGES, MIN_TILES = 5, 20
# Tiles of each kind that a classifier tells apart, and the share of photographs that only judge.
JUDGED, _JUDGING = 400, 3
# Tiles of each kind on the sheet.
SHOWN = 25


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
    progress = progress or NullProgress()
    with torch_threads(threads):
        run = _Run(settings, find_images(sources), find_images(clean or [bundled_photos()]), progress)
        if out is None:
            with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
                return run.result(Path(parts), None)
        with RunDirectory(
            out, settings.to_dict(), OUTPUTS, inputs=run.hashes(), resume=resume, overwrite=overwrite
        ) as directory:
            result = run.result(directory.parts, expand_path(out))
            directory.finish()
        return result


class _Run:
    def __init__(
        self, settings: MatchSettings, real: list[ImageFile], clean: list[ImageFile], progress: Progress
    ) -> None:
        self.settings, self.real, self.progress = settings, real, progress
        # Photographs that judge made no tile of the search: every third one, by a hash of its name.
        judging = [int(sha256(file.photo.encode()).hexdigest(), 16) % _JUDGING == 0 for file in clean]
        self.matching = [file for file, held in zip(clean, judging, strict=True) if not held]
        self.judging = [file for file, held in zip(clean, judging, strict=True) if held]
        self.describe = TileDescriber()

    def hashes(self) -> dict[str, str]:
        """What identifies the images, in place of their paths."""
        digests = {}
        for name, files in (("images", self.real), ("hr", self.matching + self.judging)):
            digest = sha256()
            for file in files:
                size = file.path.stat().st_size if isinstance(file.path, Path) else ""
                digest.update(f"{file.name} {size}\n".encode("utf-8", "surrogateescape"))
            digests[name] = digest.hexdigest()
        return digests

    def result(self, parts: Path, out: Path | None) -> MatchResult:
        skipped: list[SkippedImage] = []
        tiles = read_tiles(self.real, self.settings.tiles, self.settings.seed, skipped)
        images = len(np.unique(tiles.images))
        if images < MIN_IMAGES or len(tiles) < MIN_TILES:
            reason = f": {skipped[0].path} is {skipped[0].reason}" if skipped else ""
            raise InputError(
                f"`images`: {images} images with {len(tiles)} tiles of {SIDE} x {SIDE} pixels can be used, and "
                f"{MIN_IMAGES} with {MIN_TILES} are needed{reason}"
            )
        sources = [self._source(self.matching, 1), self._source(self.judging, 2)]
        real = self.describe(tiles.pixels)
        fit = self._search(real, sources[0], parts)
        recipe = fit.recipe(self.settings.scale)
        projected = fit.project(real)
        judged = self._judge(recipe.sample, fit, tiles, real, sources[1])
        result = MatchResult(
            recipe=recipe,
            images=images,
            tiles=len(tiles),
            photographs=(len(sources[0].photos), len(sources[1].photos)),
            resemblance=judged,
            floor=discrepancy_floor(Points(projected, tiles.images), self.settings.seed),
            fitted=_weighted_discrepancy(fit, real),
            alternatives=find_alternatives(fit, real),
            skipped=tuple(skipped),
            out=None if out is None else str(out),
        )
        if out is not None:
            self._write(result, tiles, sources[1], out)
        return result

    def _source(self, files: list[ImageFile], seed: int) -> RegionSource:
        source = RegionSource(files, self.settings.scale, self.settings.seed + seed)
        if len(source.photos) < 2:
            side = SIDE * self.settings.scale
            raise InputError(
                f"`hr`: {len(source.photos)} photographs are at least {side} pixels a side, and more are needed: "
                "give larger or more photographs, or a smaller `scale`"
            )
        return source

    def _search(self, real: NDArray[np.float64], source: RegionSource, parts: Path) -> Fit:
        search = Search(real, source, self.describe, self.settings.chains, self.settings.seed)
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
        source: RegionSource,
    ) -> dict[str, Resemblance]:
        """Made tiles of the recipe and of what others train with, beside the real ones."""
        draws: dict[str, Callable[[np.random.Generator], DegradationChain]] = {"matched": sample}
        draws |= {name: partial(_preset, name, self.settings.scale) for name in PRESETS}
        count = min(JUDGED, len(tiles))
        chosen = np.sort(np.random.default_rng(self.settings.seed).permutation(len(tiles))[:count])
        sources, blocks = tiles.images[chosen], block_statistics(tiles.pixels[chosen])
        self.progress.start("judging", len(draws))
        found = {}
        for name, draw in draws.items():
            rng = np.random.default_rng([self.settings.seed, 99])
            regions = source.regions(9)
            made = np.stack([draw(rng).apply(next(regions), rng)[:SIDE, :SIDE] for _ in range(count)])
            features, photos = self.describe(made), np.arange(count) % len(source.photos)
            found[name] = Resemblance(
                discrepancy_of(Points(fit.project(features), photos), Points(fit.project(real[chosen]), sources)),
                made_or_real(Points(features, photos), Points(real[chosen], sources)),
                made_or_real(Points(block_statistics(made), photos), Points(blocks, sources)),
            )
            self.progress.advance()
        return found

    def _write(self, result: MatchResult, tiles: Tiles, source: RegionSource, out: Path) -> None:
        result.recipe.save(out / RECIPE)
        write_json(out / SUMMARY, result.to_json())
        self._write_sheet(result, tiles, source, out / SHEET)
        (out / CONFIGS).mkdir(exist_ok=True)
        for target in TARGETS:
            config = result.to_config(target)
            with atomic_write(out / CONFIGS / config.name) as temporary:
                temporary.write_text(config.text, encoding="utf-8")

    def _write_sheet(self, result: MatchResult, tiles: Tiles, source: RegionSource, path: Path) -> None:
        # Drawing takes a second to import.
        from ddrscope.viz.tile_sheet import write_tile_sheet

        rng = np.random.default_rng([self.settings.seed, 7])
        regions = source.regions(7)
        real = [tiles.pixels[index] for index in rng.permutation(len(tiles))[:SHOWN]]
        made = [result.recipe.sample(rng).apply(next(regions), rng)[:SIDE, :SIDE] for _ in real]
        sets = {f"real: {result.images} images": real, "made of clean photographs by the recipe": made}
        write_tile_sheet(path, result.verdict(), sets)


def _preset(name: str, scale: int, rng: np.random.Generator) -> DegradationChain:
    return PRESETS[name](rng, scale)


def _weighted_discrepancy(fit: Fit, real: NDArray[np.float64]) -> float:
    """The discrepancy of tiles drawn from the bank by its weights."""
    rng = np.random.default_rng(0)
    per_chain = len(fit.bank.features) // len(fit.bank.chains)
    drawn = rng.choice(len(fit.bank.features), JUDGED, p=np.repeat(fit.weights, per_chain) / per_chain)
    return discrepancy(fit.project(fit.bank.features[drawn]), fit.project(real))


def save_bank(path: Path, bank: Bank) -> None:
    """Write a bank; atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, chains=np.array([chain.text for chain in bank.chains]), features=bank.features)


def load_bank(path: Path) -> Bank:
    """Read what `save_bank` wrote."""
    with np.load(path, allow_pickle=False) as content:
        chains: tuple[DegradationChain, ...] = tuple(parse_chain(str(text)) for text in content["chains"])
        return Bank(chains, content["features"])
