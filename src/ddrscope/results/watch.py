"""The result of `ddrscope.watch`: images in order of arrival, and the evidence of a change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.results.comparison import AXES


@dataclass(frozen=True)
class Alarm:
    """The first alarm of a stream.

    Attributes:
        index: The image at which it was raised, from 0.
        onset: The image from which on the evidence grew: the likely beginning of the change.
        axis: The index of the axis that shows it most.
        direction: 1 if values grew along it, -1 if they fell.
    """

    index: int
    onset: int
    axis: int
    direction: int


@dataclass(frozen=True)
class Detection:
    """What a stream showed.

    Attributes:
        evidence: The evidence after each image, (N,); an alarm is raised where it reaches ``threshold``.
        threshold: The mean number of images between false alarms, at least.
        alarm: None if there is none.
    """

    evidence: NDArray[np.float64]
    threshold: float
    alarm: Alarm | None


@dataclass(frozen=True)
class WatchedImage:
    """An image that arrived.

    Attributes:
        path: The file, as text that prints.
        arrived: Its modification time, seconds since 1970.
        size: Its size in bytes. A file of another time or size is another image.
        values: Along `AXES`; None if it could not be read.
        error: Why it could not.
    """

    path: str
    arrived: float
    size: int
    values: tuple[float, ...] | None
    error: str | None = None

    @property
    def key(self) -> tuple[str, float, int]:
        """What tells it from other images."""
        return self.path, self.arrived, self.size

    def to_line(self) -> str:
        """A line of JSON."""
        values = dict(zip((axis.name for axis in AXES), self.values, strict=True)) if self.values else None
        row = {"path": self.path, "arrived": self.arrived, "size": self.size, "values": values, "error": self.error}
        return json.dumps(row) + "\n"

    @classmethod
    def from_line(cls, line: str) -> WatchedImage:
        """What `to_line` wrote; raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        row = json.loads(line)
        values, error = row["values"], row["error"]
        numbers = None if values is None else tuple(float(values[axis.name]) for axis in AXES)
        if numbers and not np.isfinite(numbers).all():
            raise ValueError("a value is not finite")
        return cls(
            str(row["path"]), float(row["arrived"]), int(row["size"]), numbers, None if error is None else str(error)
        )


@dataclass(frozen=True)
class WatchResult:
    """What a watch has seen so far.

    Attributes:
        images: The images that arrived, in order.
        detection: The evidence after each readable image, and the alarm.
        reference: The values of the reference, (R, axes).
        new: The number of images that arrived since the run before.
        out: The output directory.
    """

    images: tuple[WatchedImage, ...]
    detection: Detection
    reference: NDArray[np.float64]
    new: int
    out: str

    @property
    def alarm(self) -> bool:
        """Whether the images have changed."""
        return self.detection.alarm is not None

    @property
    def readable(self) -> list[WatchedImage]:
        """The images that could be read."""
        return [image for image in self.images if image.values]

    def verdict(self) -> str:
        """The answer in a sentence."""
        alarm, readable = self.detection.alarm, self.readable
        failed = len(self.images) - len(readable)
        unreadable = f" {failed} of {len(self.images)} images cannot be read." if failed else ""
        if alarm is None:
            return f"No change in {len(readable)} images.{unreadable}"
        axis = AXES[alarm.axis]
        onset = readable[alarm.onset]
        values = np.array([image.values for image in readable])[:, alarm.axis]
        before = float(np.mean([*self.reference[:, alarm.axis], *values[: alarm.onset]]))
        after = float(values[alarm.onset : alarm.index + 1].mean())
        return (
            f"{axis.words[0].upper() + axis.words[1:]} {'rose' if alarm.direction > 0 else 'fell'} from "
            f"{before:.{axis.digits}f} to {after:.{axis.digits}f} {axis.unit} since {onset.path} ({_date(onset.arrived)}); "
            f"alarm at image {alarm.index + 1} of {len(readable)}.{unreadable}"
        )

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        alarm, readable = self.detection.alarm, self.readable
        return {
            "verdict": self.verdict(),
            "alarm": self.alarm,
            "images": len(readable),
            "unreadable": len(self.images) - len(readable),
            "reference": len(self.reference),
            "evidence": float(self.detection.evidence[-1]) if len(self.detection.evidence) else 0.0,
            "threshold": self.detection.threshold,
            "axis": AXES[alarm.axis].name if alarm else None,
            "direction": alarm.direction if alarm else None,
            "onset": readable[alarm.onset].path if alarm else None,
            "onset_time": _date(readable[alarm.onset].arrived) if alarm else None,
            "alarm_at": readable[alarm.index].path if alarm else None,
        }


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
