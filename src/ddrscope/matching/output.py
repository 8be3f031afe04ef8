"""What a run of `match` writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, write_json
from ddrscope.matching.configs import TARGETS
from ddrscope.matching.photographs import CleanPhotographs
from ddrscope.matching.result import RECIPE, MatchResult
from ddrscope.matching.tiles import Tiles

SUMMARY, SHEET, CONFIGS = "match.json", "sheet.png", "configs"
OUTPUTS = (RECIPE, SUMMARY, SHEET, CONFIGS)
# Tiles of each kind on the sheet, and the number of their regions.
SHOWN, _SHOWING = 25, 98


def write_outputs(
    result: MatchResult, out: Path, tiles: Tiles, photographs: CleanPhotographs, seed: int
) -> MatchResult:
    """Write recipe, configurations, sheet and summary.

    Args:
        result: What was found.
        out: The folder.
        tiles: Of the real images.
        photographs: Of which tiles for the sheet are made.
        seed: Of the choice of tiles.

    Returns:
        The result with notes about programs that do not know its scale.
    """
    folder = out / CONFIGS
    if folder.is_symlink():
        raise InputError(f"{folder} is a symbolic link: remove it, or choose another `out`")
    folder.mkdir(exist_ok=True)
    notes = []
    for target in TARGETS:
        try:
            config = result.to_config(target)
        except InputError as error:
            notes.append(f"no configuration for {target}: {error}")
            continue
        with atomic_write(folder / config.name) as temporary:
            temporary.write_text(config.text, encoding="utf-8")
    result = replace(result, notes=(*result.notes, *notes))
    result.recipe.save(out / RECIPE)
    _write_sheet(result, out / SHEET, tiles, photographs, seed)
    write_json(out / SUMMARY, result.to_json())
    return result


def _write_sheet(result: MatchResult, path: Path, tiles: Tiles, photographs: CleanPhotographs, seed: int) -> None:
    # Drawing takes a second to import.
    from ddrscope.viz.tile_sheet import write_tile_sheet

    rng = np.random.default_rng([seed, _SHOWING])
    makers = photographs.make_tiles(_SHOWING)
    real = [tiles.pixels[index] for index in rng.permutation(len(tiles))[:SHOWN]]
    made = [next(makers)(result.recipe.sample(rng), rng) for _ in real]
    sets = {f"real: {result.images} images": real, "made of clean photographs by the recipe": made}
    write_tile_sheet(path, result.verdict(), sets)
