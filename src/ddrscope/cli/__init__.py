"""The `ddrscope` command: parse, call, print."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import typer

from ddrscope.cli.app import app, repeat_options
from ddrscope.cli.completion import join_split_words
from ddrscope.cli.log import show_log
from ddrscope.cli.messages import in_options, options_of
from ddrscope.errors import InputError, printable

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
# How one goes on with a command that has no --resume; the last two leave nothing to go on with.
WITHOUT_RESUME = {
    "train": "the same command goes on", "degrade": "the same command with --overwrite begins anew", "models": "", "serve": "",
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 bad usage or input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    # Pillow's, on broken metadata, name no file; an image that cannot be read for it is named as such.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    show_log()
    sys.exit(_run(words, debug))


def _run(words: list[str], debug: bool) -> int:
    again = how_to_go_on(words)
    interrupted = f"interrupted: {again}" if again else "interrupted"
    if "_DDRSCOPE_COMPLETE" in os.environ and "COMP_WORDS" in os.environ:
        join_split_words()
    try:
        code = app(repeat_options(words), prog_name="ddrscope", standalone_mode=False) or 0
        # Typer turns Ctrl-C into this code without a word.
        return _say(interrupted, INTERRUPTED) if code == INTERRUPTED else code
    except typer.TyperException as error:
        if debug:
            traceback.print_exc()
        if error.format_message().startswith("Usage:"):
            # No command was named: this is the help, which keeps its lines.
            print(error.format_message(), file=sys.stderr)
            return BAD_INPUT
        command = getattr(getattr(error, "ctx", None), "command_path", "ddrscope")
        return _say(f"{command}: {error.format_message()} (see {command} --help)", BAD_INPUT)
    except InputError as error:
        if debug:
            traceback.print_exc()
        options = options_of(typer.main.get_command(app), words)
        return _say(in_options(str(error), options), BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        return _say(interrupted, INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`| head`); Python must not complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError):
            refused = _explain_refusal(error)
            if refused:
                return _say(refused, BAD_INPUT)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                remedy = f"make room; {again}" if again else "make room"
                return _say(f"{error.strerror}: {error.filename or 'the output'}: {remedy}", FAILED)
        return _say(f"failed: {type(error).__name__}: {error} (--debug shows where)", FAILED)


def how_to_go_on(words: Sequence[str]) -> str:
    """What is to be done after a command was stopped, in words; empty where there is nothing to go on with."""
    how = WITHOUT_RESUME.get(words[0] if words else "", "the same command with --resume goes on")
    return f"what was finished is kept, {how}" if how else ""


def _explain_refusal(error: OSError) -> str:
    """Why the system does not let a file be written or read, in words that name the place; empty for any other error."""
    if not isinstance(error.filename, str):
        return ""
    path = os.path.abspath(error.filename)
    if error.errno == errno.ENAMETOOLONG:
        return f"{path[:80]}...: {error.strerror}: give a shorter name"
    # What is there already decides: a file in the way, or the folder in which something was to be made.
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and not os.path.isdir(path):
        return f"{path} is a file, so nothing can be written below it: give another folder"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        verb = "written to" if os.access(path, os.R_OK) else "read"
        return f"{path} cannot be {verb} ({error.strerror}): change its permissions, or give another path"
    return ""


def _say(text: str, code: int) -> int:
    print("ddrscope: " + printable(text), file=sys.stderr)
    return code
