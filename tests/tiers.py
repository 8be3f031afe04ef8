"""The tiers of the tests, and how long each took: printed at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

# Markers, the most expensive first: a test with several counts as the first of them, one without any as a unit test.
MARKERS = ("cluster", "docs", "browser", "cli", "slow")
UNIT = "unit"
# Tests that use them are slow: whoever comes first waits for a whole analysis or a server.
SLOW_FIXTURES = {"analysis", "finished_runs", "served", "whole"}


def pytest_itemcollected(item: pytest.Item) -> None:
    if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = next((name for name in MARKERS if item.get_closest_marker(name)), UNIT)
        item.user_properties.append(("tier", marker))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                tier = dict(report.user_properties).get("tier", UNIT)
                seconds[tier] += report.duration
                tests[tier] += report.when == "call"
    if seconds:
        terminalreporter.section("time per tier, summed over processes", sep="-")
        for tier in (UNIT, *reversed(MARKERS)):
            if tier in seconds:
                terminalreporter.write_line(f"{tier:8}{tests[tier]:6} tests{seconds[tier]:8.0f} s")
