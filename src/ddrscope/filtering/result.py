"""The result of `ddrscope.filter_images`: what was decided about each image, and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ddrscope.errors import escaped
from ddrscope.io.files import atomic_write
from ddrscope.io.paths import expand_path

if TYPE_CHECKING:
    import pandas as pd

Decision = Literal["keep", "reject", "error"]
# The list of each decision.
LISTS: dict[Decision, str] = {"keep": "keep.txt", "reject": "reject.txt", "error": "error.txt"}
DECISIONS = "decisions.csv"


@dataclass(frozen=True)
class FilteredImage:
    """What was decided about one image.

    Attributes:
        path: Its path or URI, as text that prints.
        decision: ``keep``, ``reject``, or ``error``: nothing could be decided, or the file could not be brought to its
            place.
        reason: Why it is rejected, as "blur_sigma 2.31 > 1.5; jpeg_quality 41 < 70", or what the error is; None for a
            kept image.
        out: Where it was copied or moved; None if it was not.
    """

    path: str
    decision: Decision
    reason: str | None = None
    out: str | None = None


@dataclass(frozen=True)
class FilterResult:
    """What `ddrscope.filter_images` decided.

    Attributes:
        out: The output directory; None if nothing was written.
        reject: The expressions, in the order given.
        images: One entry for each image, in the order of their names, or of the rows of the table.
        matches: How many of the rejected images each comparison rejects, the most frequent first.
        notes: Warnings about the run as a whole, a sentence each.
    """

    out: str | None
    reject: tuple[str, ...]
    images: tuple[FilteredImage, ...]
    matches: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[FilteredImage, ...]:
        """The images that no expression rejects."""
        return tuple(image for image in self.images if image.decision == "keep")

    @property
    def rejected(self) -> tuple[FilteredImage, ...]:
        """The images that an expression rejects."""
        return tuple(image for image in self.images if image.decision == "reject")

    @property
    def errors(self) -> tuple[FilteredImage, ...]:
        """The images about which nothing could be decided, or that could not be copied or moved."""
        return tuple(image for image in self.images if image.decision == "error")

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        counts = Counter(image.decision for image in self.images)
        return {
            "out": self.out,
            "images": len(self.images),
            "kept": counts["keep"],
            "rejected": counts["reject"],
            "errors": counts["error"],
            "reject": list(self.reject),
            "matches": self.matches,
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each image and the columns of `FilteredImage`."""
        import pandas as pd

        return pd.DataFrame([vars(image) for image in self.images], columns=_COLUMNS)

    def save(self, folder: str | Path) -> Path:
        """Write ``keep.txt``, ``reject.txt``, ``error.txt`` and ``decisions.csv`` into a folder, and return it.

        The lists name the images as the result does. The lists of `ddrscope.filter_images` also name files whose names
        cannot be printed, as long as a list can hold them.
        """
        folder = expand_path(folder)
        write_lists(folder, self.images, [image.path for image in self.images])
        write_decisions(folder, self.images)
        return folder

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(max_rows=20, na_rep="")


_COLUMNS = [field.name for field in fields(FilteredImage)]


def write_lists(folder: Path, images: Iterable[FilteredImage], places: Iterable[str]) -> int:
    """Write the lists of kept, rejected and other images.

    Args:
        folder: The folder of the lists.
        images: What was decided.
        places: What stands in a list for each image: a path, absolute or relative to ``folder``, or a URI.

    Returns:
        How many images are in no list, since a line of text cannot name them.
    """
    lines: dict[str, list[str]] = {name: [] for name in LISTS.values()}
    left_out = 0
    for image, place in zip(images, places, strict=True):
        if _is_line(place):
            lines[LISTS[image.decision]].append(place + "\n")
        else:
            left_out += 1
    for name, content in lines.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text("".join(content), encoding="utf-8", newline="\n")
    return left_out


def write_decisions(folder: Path, images: Iterable[FilteredImage]) -> None:
    """Write ``decisions.csv``: a row for each image with the columns of `FilteredImage`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(asdict(image).values() for image in images)
    with atomic_write(folder / DECISIONS) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="\n")


def _is_line(place: str) -> bool:
    """Whether a list, which has one stripped line for each image and comments, reads the path as it is."""
    return place == escaped(place).strip() and not place.startswith("#")
