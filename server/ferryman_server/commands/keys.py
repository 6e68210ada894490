"""``ferryman keys``: make the API keys of a server, list them, take them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferryman.exit_codes import ExitCode
from ferryman_server.keys import METHODS, KeyRing, make_key
from ferryman_server.start_errors import StartError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make the API keys of a server, list them, take them back.\n\n"
    "A server takes them by --keys-file FILE, and reads the file again when it changes.",
)

File = Annotated[Path, typer.Argument(help="File of keys; only digests of keys are in it.")]
Name = Annotated[str, typer.Argument(help="Name of the holder, for the log.")]


class KeysFileError(StartError):
    """A file of keys cannot be read, or does not have what is asked for."""

    exit_code = ExitCode.BAD_INPUT


@app.command()
def add(
    file: File,
    name: Name,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="A method that the key is good for; repeat it for several. "
            f"Without it: all of {', '.join(METHODS)}."
        ),
    ] = None,
    *,
    admin: Annotated[
        bool, typer.Option("--admin", help="Good for the admin services too.")
    ] = False,
) -> None:
    """Make a key and print it; it is shown this once only."""
    ring = _read(file) if file.exists() else KeyRing([])
    if any(key.name == name for key in ring.keys):
        raise KeysFileError(f"{file} has a key of the name {name} already; remove it first")
    try:
        secret, key = make_key(name, methods=method or None, admin=admin)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    KeyRing([*ring.keys, key]).write(file)
    print(secret)


@app.command("list")
def show(file: File) -> None:
    """List the holders of keys: name, day of making, rights."""
    for key in _read(file).keys:
        methods = ",".join(key.methods) if key.methods is not None else "all"
        print(key.name, key.created, methods, "admin" if key.admin else "", sep="\t")


@app.command()
def remove(file: File, name: Name) -> None:
    """Take a key back; a server that runs refuses it within a second or two."""
    ring = _read(file)
    kept = [key for key in ring.keys if key.name != name]
    if len(kept) == len(ring.keys):
        raise KeysFileError(f"{file} has no key of the name {name}")
    KeyRing(kept).write(file)


def _read(file: Path) -> KeyRing:
    try:
        return KeyRing.read(file)
    except (OSError, ValueError) as error:
        raise KeysFileError(str(error)) from error
