"""The `ddrscope` command: parse, call, print."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import typer

from ddrscope.cli.app import app
from ddrscope.cli.log import show_log
from ddrscope.cli.messages import in_options, named_command, options_of, separated_values
from ddrscope.errors import InputError, printable

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 bad usage or input, 130 interrupted.

    Args:
        arguments: The words after ``ddrscope``; None: those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    # Pillow warns of broken metadata without naming the file; an image that cannot be read is reported as an error.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    show_log()
    sys.exit(_run(words, debug))


def _run(words: list[str], debug: bool) -> int:
    try:
        code: int = app(words, prog_name="ddrscope", standalone_mode=False) or DONE
        # Typer turns Ctrl-C into this code.
        return _fail(_interrupted(words), INTERRUPTED) if code == INTERRUPTED else code
    except (KeyboardInterrupt, typer.Abort):
        return _fail(_interrupted(words), INTERRUPTED)
    except BrokenPipeError:
        # The reader of the pipe is gone, as in `| head`; Python must not report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, typer.TyperException) and error.format_message().startswith("Usage:"):
            # No command was named: the message is the help, in several lines.
            print(error.format_message(), file=sys.stderr)
            return BAD_INPUT
        return _fail(*_explain(error, words))


def _explain(error: Exception, words: list[str]) -> tuple[str, int]:
    """The message and the exit code for an exception."""
    if isinstance(error, typer.TyperException):
        name = getattr(getattr(error, "ctx", None), "command_path", "ddrscope")
        message = f"{name}: {error.format_message()} (see {name} --help)"
        return separated_values(_command(words), words, message) or message, BAD_INPUT
    if isinstance(error, InputError):
        command = _command(words)
        message = in_options(str(error), options_of(command))
        return separated_values(command, words, message) or message, BAD_INPUT
    if isinstance(error, OSError):
        refused = _explain_refusal(error)
        if refused:
            return refused, BAD_INPUT
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            remedy = "; ".join(part for part in ("free some space", how_to_continue(words)) if part)
            return f"{error.strerror}: {error.filename or 'the output'}: {remedy}", FAILED
    return f"failed: {type(error).__name__}: {error} (--debug shows where)", FAILED


def how_to_continue(words: Sequence[str]) -> str:
    """How to continue after a command was stopped; an empty string if it keeps nothing to continue with."""
    options = options_of(_command(words))
    if "resume" in options:
        return f"what was finished is kept, the same command with {options['resume']} continues"
    if words and words[0] == "train":
        return "what was finished is kept, the same command continues"
    if "overwrite" in options:
        return f"what was finished is kept, the same command with {options['overwrite']} starts over"
    return ""


def _interrupted(words: Sequence[str]) -> str:
    return ": ".join(part for part in ("interrupted", how_to_continue(words)) if part)


def _command(words: Sequence[str]) -> Any:
    return named_command(typer.main.get_command(app), words)


def _explain_refusal(error: OSError) -> str:
    """Why the system does not let a file be written or read, with the path; an empty string for any other error."""
    if not isinstance(error.filename, str):
        return ""
    path = os.path.abspath(error.filename)
    if error.errno == errno.ENAMETOOLONG:
        return f"{path[:80]}...: {error.strerror}: give a shorter name"
    # The deepest path that exists is the obstacle: a file in the way, or the folder in which something was to be made.
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and not os.path.isdir(path):
        return f"{path} is a file, so nothing can be written below it: give another folder"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        verb = "written to" if os.access(path, os.R_OK) else "read"
        return f"{path} cannot be {verb} ({error.strerror}): change its permissions, or give another path"
    return ""


def _fail(text: str, code: int) -> int:
    print("ddrscope: " + printable(text), file=sys.stderr)
    return code
