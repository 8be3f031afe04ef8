"""What an earlier run left in the output directory, read to resume or to replace it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddrscope.batch.inputs import check_unchanged, new_images
from ddrscope.errors import RunConflictError
from ddrscope.images import ImageFile
from ddrscope.io.files import read_json, sha256
from ddrscope.progress import Progress
from ddrscope.results.upscaling import UpscaledImage
from ddrscope.upscaling.settings import SUMMARY, ResultPaths


def finished_images(
    paths: ResultPaths, parts: Path, drawing_folders: Sequence[str], progress: Progress
) -> dict[str, UpscaledImage]:
    """The images that an earlier run finished and whose results still exist, by path.

    Args:
        paths: The images of this run and where their results go.
        parts: Folder with a JSON file for each image that an interrupted run finished.
        drawing_folders: Folders that must have a drawing of each image.
        progress: Receives the number of images checked.

    Raises:
        RunConflictError: An image of the earlier run is missing, has changed, or would be written to another file, or a
            result has changed.
    """
    current = {str(file.path): file for file in paths.files}
    earlier = _summary_images(paths.out) | {
        image.path: image for image in (UpscaledImage.from_json(read_json(part)) for part in parts.glob("*.json"))
    }
    files = [current.get(path) or ImageFile(Path(path), path, path) for path in earlier]
    new_images(files, paths.files, str(paths.out))
    progress.start("checking that images are the same", len(earlier))
    check_unchanged(files, [image.sha256 for image in earlier.values()], str(paths.out), progress.advance)
    finished = {}
    for file, (path, image) in zip(files, earlier.items(), strict=True):
        outputs = [] if image.error else [paths.drawing(folder, file) for folder in drawing_folders]
        if image.out is not None:
            _check_result(paths, file, image)
            outputs.append(paths.result(file))
        if image.out is None or all(output.is_file() for output in outputs):
            finished[path] = image
    return finished


def earlier_results(out: Path) -> list[Path]:
    """The enlarged images in ``out`` that an earlier run wrote, according to its summary."""
    paths = [Path(image.out).resolve() for image in _summary_images(out).values() if image.out]
    return [path for path in paths if path.is_relative_to(out.resolve())]


def _summary_images(out: Path) -> dict[str, UpscaledImage]:
    """The images of a finished run by path; empty if there is no readable summary."""
    try:
        rows = read_json(out / SUMMARY)["images"]
        return {row["path"]: UpscaledImage.from_json(row) for row in rows if {"sha256", "out", "error"} <= row.keys()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _check_result(paths: ResultPaths, file: ImageFile, image: UpscaledImage) -> None:
    target = paths.result(file)
    relative = target.relative_to(paths.out)
    if Path(image.out or "").parts[-len(relative.parts) :] != relative.parts:
        raise RunConflictError(
            f"{file.path} was written to {image.out}, and with the images given now it would be {relative}: "
            "give the same images, `overwrite`=True, or another `out`"
        )
    if target.is_file() and image.out_sha256 not in (None, sha256(target)):
        raise RunConflictError(
            f"{target} is not what was written (its SHA-256 differs): delete it and give `resume`=True, or give `overwrite`=True"
        )
