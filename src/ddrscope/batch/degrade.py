"""Degrading image files into a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddrscope.batch.inputs import find_inputs
from ddrscope.degradations import DegradationRecipe, Pipeline, parse_degradation
from ddrscope.errors import InputError, RunConflictError, printable
from ddrscope.images import LoadedImage, UnreadableImage, read_with_metadata, result_names, write_image
from ddrscope.io.files import remove_stale_temp_files
from ddrscope.io.locks import LOCK, FolderLock
from ddrscope.io.paths import expand_path
from ddrscope.progress import NullProgress, Progress

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DegradedImage:
    """What was done with one image.

    Attributes:
        path: Path or URI of the image.
        out: The file that was written; None if there is none.
        error: Why the image cannot be read, in one line; None if it can.
    """

    path: str
    out: str | None
    error: str | None


@dataclass(frozen=True)
class DegradeResult:
    """What `degrade` did with each image.

    Attributes:
        out: The output directory.
        degradation: Canonical text of the degradation.
        scale: Factor by which images were shrunk.
        images: One entry for each image, in the order of their names.
        notes: Warnings about the run as a whole, a sentence each.
    """

    out: str
    degradation: str
    scale: int
    images: tuple[DegradedImage, ...]
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """The number of images that were written."""
        return sum(image.out is not None for image in self.images)

    @property
    def skipped(self) -> dict[str, str]:
        """Why images could not be read, by path."""
        return {image.path: image.error for image in self.images if image.error is not None}

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        return {
            "out": self.out,
            "written": self.written,
            "degradation": self.degradation,
            "scale": self.scale,
            "skipped": self.skipped,
        }

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each image and the columns of `DegradedImage`."""
        import pandas as pd

        return pd.DataFrame([vars(image) for image in self.images], columns=["path", "out", "error"])

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(max_rows=20)


def degrade(
    images: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    degradation: str | None = None,
    recipe: str | Path | DegradationRecipe | None = None,
    scale: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DegradeResult:
    """Degrade image files and write them as PNG.

    16 bits a channel, colour profile, EXIF and resolution are kept (8 bits with a recipe). Floats are rounded to 16 bits;
    grey becomes RGB. Features of the written images are exactly those that `ddrscope.analyze` computes for the same degradation.

    Args:
        images: Folders, globs, lists (.txt), files or URIs, see `ddrscope.images.find_images`.
        out: Output directory. It receives ``stem.png`` for each image, subfolders kept (two images of one stem keep
            their suffixes too: IMG_1.jpg.png).
        degradation: Text of a degradation, as ``blur:4`` or ``blur:2+noise:10``.
        recipe: Instead of it: a recipe of `ddrscope.match`, from which each image draws a chain; it has its own scale,
            and gives images of 8 bits. Rows and columns beyond a multiple of the scale are cut off.
        scale: Shrink bicubically by this factor: ``before`` degradations act before shrinking, ``after`` ones after
            it. 1: all act on the image's own pixels.
        seed: Seed of the random numbers, which also depend on the pixels and the degradation.
        overwrite: Write into a directory that is not empty; other files in it are kept.
        progress: Receives the number of images.

    Returns:
        What was done with each image.

    Raises:
        InputError: There are no images, none can be read, or the degradation or recipe is invalid.
        RunConflictError: ``out`` is not empty, or another process works in it.

    Examples:
        >>> ddrscope.degrade("photos", "degraded", degradation="blur:2+noise:10").written
        12
        >>> ddrscope.degrade("hr", "lr", recipe="matched/recipe.json")  # pairs for training
    """
    out, progress = expand_path(out), progress or NullProgress()
    degrader = _degrader(degradation, recipe, scale, seed)
    files = find_inputs([images] if isinstance(images, str | Path) else images, [out])
    names = result_names(files, ".png")
    _check_out(out, overwrite)
    results, rounded = [], 0
    with FolderLock(out):
        remove_stale_temp_files(out / name for name in names.values())
        progress.start(f"degrading by {degrader.text}", len(files))
        for file in files:
            try:
                image, metadata = read_with_metadata(file)
            except UnreadableImage as error:
                results.append(DegradedImage(str(file.path), None, error.reason))
            else:
                target = out / names[file]
                try:
                    degraded = degrader.apply(image)
                except TooSmallError as error:
                    results.append(DegradedImage(str(file.path), None, str(error)))
                else:
                    write_image(target, degraded, metadata, "png")
                    results.append(DegradedImage(str(file.path), str(target), None))
                    rounded += image.bits > 16
            progress.advance()
    written = {PurePosixPath(Path(image.out).relative_to(out).as_posix()) for image in results if image.out}
    if not written:
        more = f" (and {len(results) - 1} more)" if len(results) > 1 else ""
        raise InputError(f"no image could be read: {results[0].path}: {results[0].error}{more}")
    return DegradeResult(str(out), degrader.text, degrader.scale, tuple(results), tuple(_notes(out, written, rounded)))


def _check_out(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: `out` must be a folder")
    if out.is_dir() and not overwrite and any(item.name != LOCK for item in out.iterdir()):
        raise RunConflictError(f"{out} is not empty: give `overwrite`=True, or another `out`")


class TooSmallError(InputError):
    """An image has fewer pixels than the factor by which it is to be shrunk."""


class _Degrader(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def scale(self) -> int: ...
    def apply(self, image: LoadedImage) -> NDArray[np.unsignedinteger]: ...


def _degrader(
    degradation: str | None, recipe: str | Path | DegradationRecipe | None, scale: int, seed: int
) -> _Degrader:
    if (degradation is None) == (recipe is None):
        raise InputError("`degradation` or `recipe` is needed, and not both")
    if degradation is not None:
        pipeline = parse_degradation(degradation)
        pipeline.check_scale(scale)
        return _ByPipeline(pipeline, scale, seed)
    assert recipe is not None
    if scale != 1:
        raise InputError("`recipe` has its own scale: leave `scale` out")
    return _ByRecipe(recipe if isinstance(recipe, DegradationRecipe) else DegradationRecipe.load(recipe), seed)


@dataclass(frozen=True)
class _ByPipeline:
    pipeline: Pipeline
    scale: int
    seed: int

    @property
    def text(self) -> str:
        return self.pipeline.text

    def apply(self, image: LoadedImage) -> NDArray[np.unsignedinteger]:
        pixels = self.pipeline.apply(image.pixels, self.seed, self.scale, image.bits)
        dtype = np.uint8 if image.bits == 8 else np.uint16
        return np.rint(pixels * np.iinfo(dtype).max).astype(dtype)


@dataclass(frozen=True)
class _ByRecipe:
    recipe: DegradationRecipe
    seed: int

    @property
    def text(self) -> str:
        return f"a recipe of {len(self.recipe.chains)} chains"

    @property
    def scale(self) -> int:
        return self.recipe.scale

    def apply(self, image: LoadedImage) -> NDArray[np.unsignedinteger]:
        height, width = (side // self.scale * self.scale for side in image.pixels.shape[:2])
        if not height or not width:
            raise TooSmallError(
                f"{image.pixels.shape[1]} x {image.pixels.shape[0]} pixels cannot be shrunk by {self.scale}"
            )
        # As for pipelines: the same image gives the same result in any run.
        digest = blake2b(image.pixels.astype("<f4").tobytes(), digest_size=16).digest()
        rng = np.random.default_rng([self.seed, *np.frombuffer(digest, "<u4").tolist()])
        chain = self.recipe.sample(rng)
        return np.rint(chain.apply(image.pixels[:height, :width], rng) * 255).astype(np.uint8)


def _notes(out: Path, written: set[PurePosixPath], rounded: int) -> list[str]:
    notes = []
    others = sorted(
        name for path in out.rglob("*.png") if (name := PurePosixPath(path.relative_to(out).as_posix())) not in written
    )
    if others:
        count = f"{len(others)} other images" if len(others) > 1 else "another image"
        notes.append(
            f"{out} also holds {count} ({printable(str(others[0]))}), not written by this run: delete what belongs to another "
            "run, or choose an empty `out`"
        )
    if rounded:
        notes.append(f"{rounded} images of floats or wider integers were rounded to 16 bits, the most that a PNG holds")
    return notes
