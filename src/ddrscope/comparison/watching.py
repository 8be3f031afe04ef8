"""`watch`: a stream of images beside a reference, with a stated rate of false alarms."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.comparison.detection import detect
from ddrscope.comparison.measuring import ImageMeasurer
from ddrscope.comparison.watch_log import LINES, REFERENCE, WatchLog
from ddrscope.errors import InputError, RunConflictError, escaped
from ddrscope.features.threads import torch_threads
from ddrscope.images import ImageFile, find_images
from ddrscope.io.files import exists, write_json
from ddrscope.io.locks import LOCK, FolderLock
from ddrscope.io.paths import expand_path
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.comparison import AXES
from ddrscope.results.skipped import SkippedImage
from ddrscope.results.watch import WatchedImage, WatchResult

SUMMARY, PAGE = "watch.json", "report.html"
# False alarms are counted per so many images.
PER = 10_000
MIN_REFERENCE = 10
# A file that was changed less than so many seconds ago and cannot be read may still be written.
SETTLED = 300


def watch(
    incoming: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    reference: str | Path | Sequence[str | Path] = (),
    false_alarms: float = 1.0,
    overwrite: bool = False,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> WatchResult:
    """Find out since when the images of a camera, scanner or encoder have changed. Run it again as images arrive.

    New images are measured once, in the order of their modification times, and tested one after the other. After an alarm
    the watch stays as it is; begin anew with another ``out`` or with ``overwrite``. The rate of false alarms holds for
    images that could have come in any order; frames of a film, or day and night in turn, raise more: give one image an
    event, or one an hour of the same light.

    Args:
        incoming: Where images arrive: folders, globs, lists or files.
        out: Folder of the watch: ``reference.json``, ``images.jsonl``, ``watch.json`` and ``report.html``.
        reference: Images from before, 30 or more. Needed in the first run only.
        false_alarms: At most so many are expected in 10,000 images while nothing changes.
        overwrite: Begin anew, with a new reference.
        seed: Breaks ties.
        threads: Processor threads; 0 for all.
        progress: Where progress is reported.

    Returns:
        The evidence, and since when and how images changed.

    Raises:
        InputError: The reference has fewer than 10 images that can be read, or is missing.
        RunConflictError: ``out`` watches with another reference or rate, or another process works in it.

    Examples:
        >>> result = ddrscope.watch("camera/today", "watch", reference="camera/january")
        >>> print(result.verdict())
    """
    if not 0 < false_alarms <= PER / 10:
        raise InputError(f"`false_alarms`={false_alarms} is out of range: give more than 0 and at most {PER // 10}")
    folder = expand_path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: `out` must be a folder")
    with torch_threads(threads), FolderLock(folder):
        if not exists(folder / REFERENCE) and any(path.name != LOCK for path in folder.iterdir()):
            raise RunConflictError(f"{folder} is not empty and holds no watch: choose another `out`")
        run = _Watch(folder, false_alarms, seed, progress or NullProgress())
        return run.run(_listed(incoming), _listed(reference), overwrite)


class _Watch:
    def __init__(self, folder: Path, false_alarms: float, seed: int, progress: Progress) -> None:
        self.log, self.folder, self.progress = WatchLog(folder), folder, progress
        self.false_alarms, self.seed = false_alarms, seed
        self.measurer = ImageMeasurer()

    def run(self, incoming: list[str | Path], reference: list[str | Path], overwrite: bool) -> WatchResult:
        files = self._arrived(incoming)
        values = self._reference(reference, overwrite)
        before = self.log.images()
        known = {image.key for image in before}
        fresh = [(file, state) for file, state in files if (escaped(str(file.path)), *state) not in known]
        self.progress.start("measuring", len(fresh))
        new = []
        for image in self.log.append(self._measured(fresh)):
            new.append(image)
        images = (*before, *new)
        stream = np.array([image.values for image in images if image.values]).reshape(-1, len(AXES))
        detection = detect(values, stream, PER / self.false_alarms, self.seed)
        result = WatchResult(images, detection, values, len(new), str(self.folder))
        # Drawing takes a second to import.
        from ddrscope.viz.watch_page import write_watch_page

        write_json(self.folder / SUMMARY, result.to_json())
        write_watch_page(self.folder, result)
        return result

    def _arrived(self, sources: list[str | Path]) -> list[tuple[ImageFile, tuple[float, int]]]:
        """The files with their times and sizes, in order of time; none if the folder is still empty."""
        folders = [Path(source) for source in sources if Path(source).is_dir()]
        if folders and len(folders) == len(sources) and not any(any(folder.iterdir()) for folder in folders):
            return []
        files = [(file, _state(file)) for file in find_images(sources)]
        return sorted(files, key=lambda each: (each[1][0], each[0].name))

    def _reference(self, sources: list[str | Path], overwrite: bool) -> NDArray[np.float64]:
        settings = {"false_alarms": self.false_alarms, "seed": self.seed}
        stored = self.log.reference()
        if stored is not None and not overwrite:
            before, values = stored
            if sources and before.get("reference") != [str(source) for source in sources]:
                raise RunConflictError(
                    f"{self.folder} watches with another reference: leave `reference` out, or give `overwrite`=True"
                )
            for name, value in settings.items():
                if before.get(name) != value:
                    raise RunConflictError(
                        f"{self.folder} watches with {name}={before.get(name)}: give it again, or `overwrite`=True"
                    )
            return values
        if not sources:
            raise InputError("`reference` is missing: give images from before")
        files, skipped = find_images(sources), list[SkippedImage]()
        self.progress.start("measuring the reference", len(files))
        values = self.measurer.measure_files(files, skipped, self.progress.advance).values
        if len(values) < MIN_REFERENCE:
            raise InputError(f"`reference` has {len(values)} images that can be read, and {MIN_REFERENCE} are needed")
        # Now that there is a new reference, the earlier watch is replaced.
        for name in (LINES, SUMMARY, PAGE):
            (self.folder / name).unlink(missing_ok=True)
        self.log.write_reference({"reference": [str(source) for source in sources], **settings}, values)
        return values

    def _measured(self, files: Sequence[tuple[ImageFile, tuple[float, int]]]) -> Iterator[WatchedImage]:
        skipped: list[SkippedImage] = []
        measured = self.measurer.iter_files([file for file, _ in files], skipped)
        for (file, (arrived, size)), (_, values) in zip(files, measured, strict=True):
            self.progress.advance()
            if values is None and time.time() - arrived < SETTLED:
                # It may still be written: the next run looks again.
                continue
            error = skipped[-1].reason if values is None else None
            numbers = None if values is None else tuple(values.tolist())
            yield WatchedImage(escaped(str(file.path)), arrived, size, numbers, error)


def _state(file: ImageFile) -> tuple[float, int]:
    try:
        state = file.path.stat() if isinstance(file.path, Path) else None
    except OSError:
        state = None
    return (state.st_mtime, state.st_size) if state else (0.0, 0)


def _listed(images: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [images] if isinstance(images, str | Path) else list(images)
