"""The identification of an image: type and level of its distortion, probabilities, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.images.file_facts import FileFacts
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.verdict import verdict
from ddrscope.results.vocabulary import CLEAN, ESTIMATES, FILE, QUESTIONS


@dataclass(frozen=True)
class Identification:
    """The identification of one image.

    Args:
        type: The likeliest distortion of the likeliest group, or ``clean``.
        group: The likeliest group, or ``clean``.
        probability: That ``type`` is present, 0 to 1, calibrated.
        group_probability: That ``group`` is present: the sum over its types, which mostly exclude each other, at most 1.
        level: Of ``type``, 1 (slight) to 5 (strong), with its 80 % prediction interval; 0 where ``type`` is ``clean``.
        novelty: The share of images with known distortions that are more ordinary, 0 to 1.
        unseen: Whether ``novelty`` is above 0.95: the image is unlike all known ones, so the type may be wrong.
        probabilities: That each class is present, clean first; they need not sum to 1.
        estimates: Each of `ESTIMATES` with its 80 % prediction interval: ``blur_sigma`` in pixels (the point spread's
            standard deviation per axis, whatever its shape), ``noise_sigma`` of 255, ``jpeg_quality`` 1 to 100 (100:
            never compressed), ``first_jpeg_quality`` (that of an earlier compression, if there was one),
            ``native_scale`` (by which factor it was enlarged; 1: it was not), ``motion_length`` in pixels (if it moved),
            ``exposure`` in stops. Empty if the identifier estimates none.
        motion_angle: In degrees counter-clockwise from horizontal, 0 to 180, if it moved.
        answers: The probability of each of `QUESTIONS`, if it is a JPEG at all.
        interpolation: By which it was enlarged, if it was.
    """

    type: str
    group: str
    probability: float
    group_probability: float
    level: Estimate
    novelty: float
    unseen: bool
    probabilities: Mapping[str, float]
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    motion_angle: float | None = None
    answers: Mapping[str, float] = field(default_factory=dict)
    interpolation: str | None = None

    def __str__(self) -> str:
        return verdict(self)

    def others(self, above: float = 0.3) -> dict[str, float]:
        """The other classes whose probability is above a threshold, the likeliest first."""
        other = {name: value for name, value in self.probabilities.items() if name != self.type and value > above}
        return dict(sorted(other.items(), key=lambda item: item[1], reverse=True))

    def to_columns(self) -> dict[str, Any]:
        """The columns of this image in a table, with ``p_TYPE`` for each class."""
        return {
            "type": self.type,
            "group": self.group,
            "probability": self.probability,
            **self.level.to_columns("level"),
            "novelty": self.novelty,
            "unseen": self.unseen,
            **{f"p_{name}": value for name, value in self.probabilities.items()},
        }

    def to_details(self) -> dict[str, Any]:
        """The columns of what is estimated beside the type."""
        if not self.estimates:
            return {"group_probability": self.group_probability}
        columns = {"group_probability": self.group_probability}
        columns |= {key: value for name, each in self.estimates.items() for key, value in each.to_columns(name).items()}
        return {**columns, **self.answers, "motion_angle": self.motion_angle, "interpolation": self.interpolation}

    @classmethod
    def from_columns(cls, row: Mapping[str, Any]) -> Identification:
        """The identification that `to_columns` and `to_details` wrote."""
        return cls(
            type=row["type"],
            group=row["group"],
            probability=row["probability"],
            group_probability=row["group_probability"],
            level=Estimate.from_columns(row, "level"),
            novelty=row["novelty"],
            unseen=row["unseen"],
            probabilities={name[2:]: value for name, value in row.items() if name.startswith("p_")},
            estimates={name: Estimate.from_columns(row, name) for name in ESTIMATES if row.get(name) is not None},
            motion_angle=row.get("motion_angle"),
            answers={name: row[name] for name in QUESTIONS if row.get(name) is not None},
            interpolation=row.get("interpolation"),
        )


@dataclass(frozen=True)
class IdentifiedImage:
    """A row of an identification table: an image file and its identification, or why there is none.

    Args:
        path: The file, as text that prints.
        identification: None where ``error`` is given.
        error: Why the file could not be read or is too small; None where it is identified.
        file: What the file says of itself; None where it says nothing.
    """

    path: str
    identification: Identification | None = None
    error: str | None = None
    file: FileFacts | None = None

    def to_row(self) -> dict[str, Any]:
        """The row of a table; columns without a value are missing."""
        if self.identification is None:
            return {"path": self.path, "error": self.error}
        columns = self.identification.to_columns()
        present = {name: columns.pop(name) for name in list(columns) if name.startswith("p_")}
        facts = {f"{FILE}{key}": value for key, value in vars(self.file).items()} if self.file else {}
        return {
            "path": self.path,
            **columns,
            "error": self.error,
            **present,
            **self.identification.to_details(),
            **facts,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> IdentifiedImage:
        """The image that `to_row` wrote; missing columns may be null."""
        identification = None if row["type"] is None else Identification.from_columns(row)
        facts = {key.removeprefix(FILE): value for key, value in row.items() if key.startswith(FILE)}
        return cls(row["path"], identification, row["error"], FileFacts(**facts) if facts.get("format") else None)


@dataclass(frozen=True, eq=False)
class DistortionMap:
    """Where in an image each class is likely.

    Args:
        names: Clean and the types, in the order of ``probabilities``.
        groups: The group of each type.
        boxes: The parts of the image that were looked at, which overlap: top, left, bottom, right in pixels.
        probabilities: That each class is present in each part, (boxes, classes).
        height: Of the image in pixels.
        width: Of the image in pixels.
        estimates: Each of `ESTIMATES` in each part, (boxes,); empty if the identifier estimates none.
    """

    names: tuple[str, ...]
    groups: Mapping[str, str]
    boxes: tuple[tuple[int, int, int, int], ...]
    probabilities: NDArray[np.float64]
    height: int
    width: int
    estimates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def group_likelihoods(self) -> dict[str, NDArray[np.float64]]:
        """The likelihood of clean and of each group at every pixel, (height, width).

        It is the sum over the group's types, at most 1, averaged over the parts that cover the pixel; a part counts more
        near its center.
        """
        group_of = {CLEAN: CLEAN, **self.groups}
        columns: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            columns.setdefault(group_of[name], []).append(index)
        weights = np.zeros((self.height, self.width))
        sums = {group: np.zeros((self.height, self.width)) for group in columns}
        for (top, left, bottom, right), probabilities in zip(self.boxes, self.probabilities, strict=True):
            part = slice(top, bottom), slice(left, right)
            window = np.outer(_window(bottom - top), _window(right - left))
            weights[part] += window
            for group, indices in columns.items():
                sums[group][part] += window * min(probabilities[indices].sum(), 1)
        return {group: total / np.maximum(weights, 1e-12) for group, total in sums.items()}


def _window(length: int) -> NDArray[np.float64]:
    """Weights that are largest in the middle and nowhere 0."""
    return np.hanning(length + 2)[1:-1]
