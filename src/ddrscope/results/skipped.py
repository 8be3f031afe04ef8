"""Images that a run left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SkippedImage:
    """An image that was left out, and why."""

    path: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """The fields as JSON values."""
        return {"path": self.path, "reason": self.reason}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SkippedImage:
        """The fields from JSON values."""
        return cls(str(value["path"]), str(value["reason"]))
