"""Completion in the shell, through the command as the shell's script calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ddrscope.cli import completion
from ddrscope.cli.app import COMMANDS, _read
from ddrscope.degradations import list_degradations
from ddrscope.networks import network_names

DDRSCOPE = str(Path(sys.executable).with_name("ddrscope"))
# The command, unless it imported PyTorch on the way.
QUICKLY = (
    "import sys; from ddrscope.cli import main\ntry: main([])\nfinally: print('torch' in sys.modules, file=sys.stderr)"
)


def complete(
    line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, colons: bool = True
) -> list[str]:
    """What Tab offers at the end of ``line`` in bash, which cuts words at colons; in this process."""
    words = (line.replace(":", " : ") if colons else line).split() + ([""] if line.endswith((" ", ":")) else [])
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_DDRSCOPE_COMPLETE", "complete_bash")
    from ddrscope.cli import main

    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    return capfd.readouterr().out.split()


LINES = [
    ("ddrscope an", ["analyze"]),
    ("ddrscope models ex", ["export"]),
    ("ddrscope models show srresnet-w", ["srresnet-wgr", "srresnet-wogr"]),
    ("ddrscope models show real", [name for name in network_names() if name.startswith("real")]),
    ("ddrscope analyze srresnet-wgr --deg", ["--degrade"]),
    ("ddrscope analyze --degrade clean bl", ["blur:"]),
    ("ddrscope analyze --degrade clean blur:4 noise:20 jp", ["jpeg:", "jpeg2000:"]),
    ("ddrscope analyze --degrade blur:4 --limit 5 srresnet-wg", ["srresnet-wgr"]),
    ("ddrscope analyze --layers body.1 s", []),
    ("ddrscope generalize srgan-wgr --degrade no", ["noise:"]),
    ("ddrscope features srresnet-wgr --degrade cl", ["clean"]),
    ("ddrscope features --degrade blur:4 srgan-wo", ["srgan-wogr"]),
    ("ddrscope features --degrade blur:2+noi", ["2+noise:"]),
    ("ddrscope upscale photo.png --network srgan-wg", ["srgan-wgr"]),
    ("ddrscope upscale pho", []),
    ("ddrscope upscale photo.png --expl", ["--explain"]),
]


@pytest.mark.parametrize("line, offered", LINES, ids=[line for line, _ in LINES])
def test_bash_is_offered(
    line: str, offered: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complete(line, capfd, monkeypatch) == offered


def test_the_real_command_completes_without_pytorch_in_bash_and_zsh() -> None:
    for shell, variables in (
        ("bash", {"COMP_WORDS": "ddrscope\nanalyze\n--degrade\nclean\nmoti", "COMP_CWORD": "4"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "ddrscope analyze --degrade clean moti"}),
    ):
        environment = os.environ | variables | {"_DDRSCOPE_COMPLETE": f"complete_{shell}"}
        done = subprocess.run(
            [sys.executable, "-c", QUICKLY], env=environment, capture_output=True, text=True, timeout=300
        )
        assert (done.returncode, done.stderr.strip()) == (0, "False"), done.stderr
        assert "motion_blur" in done.stdout
    # What --show-completion prints where it finds bash above itself.
    environment = os.environ | {"_DDRSCOPE_COMPLETE": "source_bash"}
    script = subprocess.run([DDRSCOPE], env=environment, capture_output=True, text=True, timeout=300).stdout
    assert (
        "_DDRSCOPE_COMPLETE=complete_bash" in script
        and "complete -o default -F _ddrscope_completion ddrscope" in script
    )
    # Bash itself accepts it.
    subprocess.run(["bash", "-n", "-c", script], check=True)


def test_names_are_those_of_the_package() -> None:
    assert completion.network_names() == network_names()
    assert completion.degradation_names() == sorted(["clean", *(family.family for family in list_degradations())])


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_completed_is_what_the_command_takes(name: str) -> None:
    def shape(command: object) -> dict[str, object]:
        if isinstance(command, typer.core.TyperGroup):
            return {key: shape(value) for key, value in command.commands.items()}
        assert isinstance(command, typer.core.TyperCommand)
        return {
            parameter.name or "": (tuple(parameter.opts), tuple(parameter.secondary_opts), parameter.nargs)
            for parameter in command.params
        }

    assert shape(completion.stand_in(name, COMMANDS[name])) == shape(_read(name))
