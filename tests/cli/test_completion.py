"""Completion in the shell: through the command as the shell calls it, and in bash and zsh themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from commands import DDRSCOPE, PYTHON, Run, call_command
from ddrscope.cli.app import COMMANDS
from ddrscope.networks import network_names

LINES = [
    ("ddrscope an", ["analyze"]),
    ("ddrscope models ex", ["export"]),
    ("ddrscope models show srresnet-w", ["srresnet-wgr", "srresnet-wogr"]),
    ("ddrscope models show real", [name for name in network_names() if name.startswith("real")]),
    ("ddrscope analyze srresnet-wgr --deg", ["--degrade"]),
    ("ddrscope analyze --degrade clean --degrade bl", ["blur:"]),
    ("ddrscope analyze --degrade jp", ["jpeg:", "jpeg2000:", "jpeg_xl:"]),
    ('ddrscope analyze --degrade "clean blur:2+bl', ["clean blur:2+blur:"]),
    ("ddrscope analyze --degrade blur:4 --limit 5 srresnet-wg", ["srresnet-wgr"]),
    ("ddrscope analyze --layers s", []),
    ("ddrscope generalize srgan-wgr --degrade no", ["noise:"]),
    ("ddrscope features srresnet-wgr --degrade cl", ["clean"]),
    ("ddrscope features --degrade blur:2+noi", ["blur:2+noise:"]),
    ("ddrscope upscale photo.png --network srgan-wg", ["srgan-wgr"]),
    ("ddrscope upscale pho", []),
    ("ddrscope upscale photo.png --expl", ["--explain"]),
]


@pytest.mark.parametrize("line, offered", LINES, ids=[line for line, _ in LINES])
def test_bash_is_offered(line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, by the variables that bash's script sets."""
    first, quote, quoted = line.partition('"')
    words = [*first.split(), *([quote + quoted] if quote else [])]
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_DDRSCOPE_COMPLETE", "complete_bash")
    done = call_command()
    assert done.returncode == 0 and list(filter(None, done.stdout.splitlines())) == offered


def completion_script(shell: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_DDRSCOPE_COMPLETE", f"source_{shell}")
        return call_command().stdout


def in_shell(shell: str, lines: str, before: str = "") -> str:
    if shutil.which(shell) is None:
        reason = f"{shell} is not installed: apt-get install {shell}"
        # A check that never runs checks nothing.
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    environment = os.environ | {"PATH": f"{Path(DDRSCOPE[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    options = ["-f"] if shell == "zsh" else ["--norc", "--noprofile"]
    done = subprocess.run(
        [shell, *options, "-c", before + completion_script(shell) + lines],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.cli
def test_bash_itself() -> None:
    lines = """
        COMP_WORDS=(ddrscope models show srresnet-w)
        COMP_CWORD=3
        _ddrscope_completion ddrscope
        echo "${COMPREPLY[@]}"
    """
    assert in_shell("bash", lines).split() == ["srresnet-wgr", "srresnet-wogr"]


@pytest.mark.cli
def test_zsh_itself() -> None:
    lines = """
        words=(ddrscope models show srresnet-w)
        CURRENT=4
        _ddrscope_completion
    """
    # These exist in an interactive shell only.
    offered = in_shell("zsh", lines, "compdef() { :; }; _arguments() { echo $@; }\n")
    assert "srresnet-wgr" in offered and "srresnet-wogr" in offered


def test_commands_and_names_are_imported_without_pytorch(run_command: Run) -> None:
    modules = [f"ddrscope.cli.{name.replace('-', '_')}" for name in COMMANDS]
    code = f"import sys, importlib; [importlib.import_module(name) for name in {modules}]\n"
    code += "from ddrscope.cli.completion import *; assert complete_network('s') and complete_degradation('n')\n"
    code += "assert 'torch' not in sys.modules"
    done = run_command("-c", code, program=[PYTHON])
    assert modules and done.returncode == 0, done.stderr
