"""Exit codes of the `ferryman` command, the same for every verb.

A verb ends with one of these by ``raise typer.Exit(ExitCode.FAILURE)``, or by raising any exception
that has an attribute ``exit_code``: the command prints its text on stderr, without a traceback, and
exits with that code. A package need not import this module for that.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a verb ended."""

    OK = 0
    """Everything that was asked for is done."""
    FAILURE = 1
    """Something failed that no other code names, or part of the work did."""
    USAGE = 2
    """The command line is wrong: an unknown verb or option, or options that exclude each other."""
    MISSING_EXTRA = 3
    """The verb is not installed: it needs an extra, such as ``pip install 'ferryman[server]'``."""
    BAD_INPUT = 4
    """The input cannot be read or is refused: not UTF-8, no such file, a text that is too long."""
    UNAVAILABLE = 5
    """No server answers, or it has no room now. The same command may succeed later."""
    NOT_OFFERED = 6
    """The server lacks what was asked for: the model, the language pair, or the feature."""
    TIMEOUT = 7
    """The deadline passed first."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell reports it."""
    BROKEN_PIPE = 141
    """Nobody reads the output any more, as in ``ferryman translate | head -1``."""
