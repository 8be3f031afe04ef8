"""The tables of degradations and distortions on the page are those of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ddrscope.degradations import list_degradations
from ddrscope.degradations.distortions import ALL_DISTORTIONS

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs" / "degradations.md").read_text(encoding="utf-8")


def test_degradations_with_their_stages_and_ranges() -> None:
    rows = {row[0]: row for row in re.findall(r"^\| `(.+?)` \| (\w+) \| (.+?) \|", PAGE, re.MULTILINE)}
    families = {family.usage(): family for family in list_degradations()}
    assert set(rows) == set(families), "docs/degradations.md has a row for each family"
    for usage, family in families.items():
        _, stage, level = rows[usage]
        limits = family.level_range()
        assert stage == family.stage, usage
        assert f"{limits.low:.10g} to {limits.high:.10g}" in level, usage


def test_distortions_with_their_levels() -> None:
    for distortion in ALL_DISTORTIONS:
        levels = ", ".join(" / ".join(f"`{text}`" for text in level) for level in distortion.levels)
        assert f"| {distortion.group} | {distortion.name} | {levels} |" in PAGE
