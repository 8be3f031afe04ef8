"""`compare`: do two sets of images differ in degradation, how, and how sure is that?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ddrscope.comparison.measuring import ImageMeasurer
from ddrscope.comparison.testing import differences
from ddrscope.errors import InputError
from ddrscope.features.threads import torch_threads
from ddrscope.images import find_images
from ddrscope.io.files import write_json
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.comparison import AXES, AxisDifference, ComparisonResult, MeasuredImages
from ddrscope.results.skipped import SkippedImage

SUMMARY, SHEET = "comparison.json", "sheet.png"
# With three in each set even the largest difference has p = 0.1.
MIN_PHOTOS = 4
# Images of each set that are shown.
TYPICAL = 6

Images = str | Path | Sequence[str | Path]


def compare(
    first: Images,
    second: Images,
    out: str | Path | None = None,
    *,
    overwrite: bool = False,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> ComparisonResult:
    """Find out whether two sets of images differ in blur, noise, JPEG quality or enlargement.

    Images need not show the same. What light and scene change, as brightness and colour, is not compared.

    Args:
        first: Images: folders, globs, lists or files.
        second: The same.
        out: Folder for ``comparison.json`` and ``sheet.png``. None: nothing is written.
        overwrite: Replace an earlier comparison in ``out``.
        seed: Of the permutations.
        threads: Processor threads; 0 for all.
        progress: Where progress is reported.

    Returns:
        The difference along each axis, in its unit, with interval and p-value.

    Raises:
        InputError: A set has fewer than 4 photographs that can be read.
        RunConflictError: ``out`` is not empty and ``overwrite`` is not given.

    Examples:
        >>> result = ddrscope.compare("before_update", "after_update")
        >>> print(result.verdict())
        The second set differs: blur +0.61 px [+0.42, +0.80] (p = 0.0002); no difference found in noise, JPEG quality,
        enlargement.
    """
    sources = [[images] if isinstance(images, str | Path) else list(images) for images in (first, second)]
    progress, skipped = progress or NullProgress(), list[SkippedImage]()
    with torch_threads(threads):
        if out is None:
            return _compare(sources, seed, progress, skipped)[0]
        settings = {"first": list(map(str, sources[0])), "second": list(map(str, sources[1])), "seed": seed}
        directory = RunDirectory(out, settings, (SUMMARY, SHEET), overwrite=overwrite)
        # An earlier comparison is replaced when there is a new one.
        directory.check()
        result, sets = _compare(sources, seed, progress, skipped)
        result = replace(result, out=str(expand_path(out)))
        with directory:
            # Drawing takes a second to import.
            from ddrscope.viz.comparison import write_sheet

            write_json(expand_path(out) / SUMMARY, result.to_json())
            write_sheet(expand_path(out) / SHEET, result, sets)
            directory.finish()
        return result


def _compare(
    sources: list[list[str | Path]], seed: int, progress: Progress, skipped: list[SkippedImage]
) -> tuple[ComparisonResult, tuple[MeasuredImages, MeasuredImages]]:
    files = [find_images(each) for each in sources]
    measurer = ImageMeasurer()
    progress.start("measuring", sum(map(len, files)))
    left, right = (measurer.measure_files(each, skipped, progress.advance) for each in files)
    for name, images in (("first", left), ("second", right)):
        if (count := len(set(images.photos))) < MIN_PHOTOS:
            reason = f" ({skipped[0].path}: {skipped[0].reason})" if skipped else ""
            raise InputError(
                f"`{name}`: {count} photograph{'s' * (count != 1)} can be used, and {MIN_PHOTOS} are needed: give more images "
                f"of other scenes{reason}"
            )
    found = differences(left, right, seed)
    result = ComparisonResult(
        found,
        (len(left), len(right)),
        (len(set(left.photos)), len(set(right.photos))),
        typical_images(left, right, found),
        tuple(skipped),
    )
    return result, (left, right)


def typical_images(
    first: MeasuredImages, second: MeasuredImages, found: Sequence[AxisDifference]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Images that show the clearest difference: those nearest to their set's middle along its axis."""
    clearest = max(range(len(AXES)), key=lambda index: (found[index].differs, -found[index].p_value))
    chosen = []
    for images in (first, second):
        values = images.values[:, clearest]
        order = np.argsort(np.abs(values - np.median(values)), kind="stable")[:TYPICAL]
        chosen.append(tuple(images.paths[index] for index in order))
    return chosen[0], chosen[1]
