"""Commands in tests: in this process, or in one of their own. Tests that start processes carry the marker ``cli``.

A process that imports PyTorch costs seconds. Tests of messages and files call the command in this process instead.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

from ddrscope.cli import main

TIMEOUT = 300
PYTHON = sys.executable
DDRSCOPE = (str(Path(sys.executable).with_name("ddrscope")),)

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
Start = Callable[..., "subprocess.Popen[str]"]


def call_command(*words: object) -> Done:
    """Calls `ddrscope` in this process.

    Args:
        words: The words after `ddrscope`.

    Returns:
        The exit code and what the command wrote to its two streams, log messages included.
    """
    out, err = io.StringIO(), io.StringIO()
    arguments, threads = [str(word) for word in words], torch.get_num_threads()
    try:
        with warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main(arguments)
    finally:
        torch.set_num_threads(threads)
    code = stop.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def _environment(changes: dict[str, str]) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"} | changes


@pytest.fixture(scope="session")
def run_command() -> Run:
    """Runs a command in a process of its own: ``run_command("models", "list", program=DDRSCOPE, cwd=None, NAME="value")``."""

    def run(*words: object, program: Sequence[str] = DDRSCOPE, cwd: Path | None = None, **variables: str) -> Done:
        command = [*program, *map(str, words)]
        environment = _environment(variables)
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=TIMEOUT)

    return run


@pytest.fixture
def start_command() -> Iterator[Start]:
    """Starts a command without waiting for it, so that a test can stop it. What still runs after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, program: Sequence[str] = DDRSCOPE, **variables: str) -> subprocess.Popen[str]:
        command = [*program, *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, env=_environment(variables), **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"run_command", "start_command"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("cli")
