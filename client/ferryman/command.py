"""The `ferryman` command: finds its verbs through entry points, and loads one when it is called.

A package offers a verb in the entry-point group ``ferryman.commands``: a Typer app, and in brackets
the extras that it needs::

    serve = "ferryman_server.commands.serve:app [server]"

So the command knows no package but its own, ``ferryman --help`` imports none of them, and a verb
whose libraries are missing can say which extra brings them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ferryman.exit_codes import ExitCode

ENTRY_POINTS = "ferryman.commands"
"""Entry-point group of the verbs."""

SUMMARIES = {
    "translate": "Translate text, lines or a file with a server.",
    "decode": "Translate a whole file, whatever happens on the way.",
    "score": "Tell how likely a model finds given translations.",
    "tokenize": "Print the tokens of texts.",
    "models": "List the models of a server.",
    "info": "Tell what a server is, and what it can do.",
    "health": "Tell whether a server translates now.",
    "serve": "Serve a model over gRPC.",
    "evaluate": "Measure how well a bundle or checkpoint translates a test set.",
    "corpus": "Make a parallel corpus out of freely licensed text.",
    "train": "Train a model on a parallel corpus.",
    "export": "Turn a trained model into a bundle that can be served.",
    "average": "Make one checkpoint of several.",
    "plot": "Draw the course of training runs.",
    "attention": "Draw what each piece of a translation looked at.",
    "verify": "Certify that a bundle answers the same in any company on this machine.",
    "doctor": "Check whether this machine can serve, and say what to do.",
    "bench": "Load a server, and measure how fast it answers.",
    "keys": "Make the API keys of a server, list them, take them back.",
    "bundle": "Look into bundles, check them, and pack them for shipping.",
}
"""The order of `--help`, which describes the verbs of this project without importing them."""


class VerbError(Exception):
    """A verb is declared, but what it needs is not installed."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Verb(TyperCommand):
    """A verb that is loaded when it is called or completed, not when it is listed."""

    def __init__(self, entry_point: metadata.EntryPoint) -> None:
        origin = f"From {entry_point.dist.name}." if entry_point.dist else None
        summary = SUMMARIES.get(entry_point.name, origin)
        super().__init__(entry_point.name, help=summary, rich_markup_mode=None)
        self._entry_point = entry_point

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Parse the verb's arguments, by the verb itself."""
        try:
            app = self._entry_point.load()
        except ModuleNotFoundError as fault:
            raise self.error_of(fault) from fault
        return typer.main.get_command(app).make_context(info_name, args, parent, **extra)

    def error_of(self, fault: ModuleNotFoundError) -> VerbError:
        """Return what to tell about a module that the verb did not find."""
        extras = self._entry_point.extras
        if (fault.name or "").partition(".")[0] == self._entry_point.module.partition(".")[0]:
            return VerbError(f"it is not part of this installation: {fault}", ExitCode.FAILURE)
        if not extras:
            return VerbError(f"it needs a module that is not installed: {fault}", ExitCode.FAILURE)
        noun = "extra" if len(extras) == 1 else "extras"
        return VerbError(
            f"{self.name} needs the {' and '.join(extras)} {noun} ({fault}): "
            f"pip install 'ferryman[{','.join(extras)}]'",
            ExitCode.MISSING_EXTRA,
        )


class VerbGroup(TyperGroup):
    """The command itself. Expected errors of verbs end here, as a message and an exit code.

    Expected are errors that carry an ``exit_code``, and those of the operating system. Any other is
    a defect, and its traceback is what a report of it needs.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that the command line names."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort):
            raise  # Typer's own way to say what to show and how to end
        except BrokenPipeError:
            return _leave_broken_pipe()
        except ModuleNotFoundError as fault:  # of a library that the verb imports late
            verb = self.commands[ctx.invoked_subcommand]
            error: Exception = verb.error_of(fault) if isinstance(verb, Verb) else fault
        except Exception as fault:
            error = fault
        return _end_with(error, verb=ctx.invoked_subcommand)


app = typer.Typer(cls=VerbGroup, add_completion=True, no_args_is_help=True, rich_markup_mode=None)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"ferryman {metadata.version('ferryman')}")
        except metadata.PackageNotFoundError:
            typer.echo("ferryman, run from its sources")
        raise typer.Exit


@app.callback()
def ferryman(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Train translation models, export them, serve them, and translate."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; taken from the process when None.

    Returns:
        The exit code; see `ferryman.exit_codes`.
    """
    try:
        result = _group().main(
            sys.argv[1:] if arguments is None else list(arguments),
            prog_name="ferryman",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_broken_pipe()
    except typer.TyperException as fault:
        _show(fault)
        return fault.exit_code
    except (KeyboardInterrupt, typer.Abort):  # before the verb began; or a question left by Ctrl-D
        result = ExitCode.INTERRUPTED
    if result == ExitCode.INTERRUPTED:
        typer.echo("\nInterrupted.", err=True)
    return int(result) if isinstance(result, int) else ExitCode.OK


def _group() -> VerbGroup:
    """Return the command with all the verbs that installed packages declare."""
    group = typer.main.get_command(app)
    assert isinstance(group, VerbGroup)
    found = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    ranks = {name: rank for rank, name in enumerate(SUMMARIES)}
    for name in sorted(found, key=lambda name: (ranks.get(name, len(ranks)), name)):
        group.add_command(Verb(found[name]))
    return group


def _end_with(error: Exception, *, verb: str) -> int:
    """Report an expected error and return its exit code; raise any other."""
    code = getattr(error, "exit_code", ExitCode.FAILURE if isinstance(error, OSError) else None)
    if not isinstance(code, int):
        raise error
    typer.echo(f"ferryman {verb}: {error}", err=True)
    return code


def _show(fault: typer.TyperException) -> None:
    """Print a fault of the command line, with the usage line if it brings one along."""
    show = getattr(fault, "show", None)
    if show is None:
        typer.echo(f"ferryman: {fault}", err=True)
    else:
        show()


def _leave_broken_pipe() -> int:
    """Leave quietly: nobody reads the output any more, as in ``ferryman translate | head -1``."""
    # Python flushes stdout when it exits, and would complain about the same pipe once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.BROKEN_PIPE
