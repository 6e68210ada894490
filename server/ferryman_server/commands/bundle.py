"""``ferryman bundle``: look into bundles, check them, and pack them for shipping."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferryman_bundle.sealed import SealedBundle

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Look into bundles, check them, and pack them for shipping.",
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE",
        help="Directory of a bundle, its packed form, or name of an installed model.",
    ),
]


@app.command()
def inspect(
    bundle: Source,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest as JSON instead of tables.")
    ] = False,
) -> None:
    """Show what is inside: languages, variants, sizes, quality, speed, licence and proof."""
    from rich.console import Console

    from ferryman_server.commands.inspection import describe

    sealed, _ = _read(bundle)
    if as_json:
        print(sealed.manifest.model_dump_json(indent=2))
    else:
        Console(highlight=False).print(describe(sealed))


@app.command()
def verify(bundle: Source) -> None:
    """Check every byte, and translate the golden sentences with every variant.

    Each variant is loaded in a process of its own, which may die without harm. Exit codes: 0, the
    bundle is sound; 1, a variant does not compute here what it did where it was made; 4, a file is
    damaged.
    """
    from ferryman_server.loading import trial_limits
    from ferryman_server.quarantine import try_out

    sealed, path = _read(bundle)
    size = sum(map(len, sealed.files.values())) / 1e6
    print(f"ok      {len(sealed.files)} files, {size:.1f} MB: every byte as the manifest says")
    failed = False
    for name, variant in sealed.manifest.variants.items():
        if variant.provider == "cuda":
            print(f"skipped {name}: was made for CUDA, and this check runs on the CPU")
            continue
        begun = time.monotonic()
        reason = try_out(sealed, path, name, trial_limits())
        seconds = time.monotonic() - begun
        count = len(sealed.manifest.golden.get(name, ()))
        golden = f"{count} golden sentence{'' if count == 1 else 's'}"
        failed |= reason is not None
        print(
            f"ok      {name}: {golden} as where it was made, {seconds:.1f} s"
            if reason is None
            else f"FAILED  {name}: {reason}"
        )
    if failed:
        raise typer.Exit(1)


@app.command()
def card(bundle: Source) -> None:
    """Print the model card."""
    from rich.console import Console
    from rich.markdown import Markdown

    from ferryman_bundle.manifest import CARD
    from ferryman_server.commands.inspection import harmless

    sealed, _ = _read(bundle)
    text = harmless(sealed.contents[CARD].decode("utf-8", "replace"))
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        print(text, end="")


@app.command()
def pack(
    bundle: Source,
    packed: Annotated[Path, typer.Argument(metavar="FILE", help="To write; must not exist.")],
) -> None:
    """Pack a bundle into one file, the same bytes for the same bundle."""
    from ferryman_bundle.writer import write_packed

    sealed, _ = _read(bundle)
    _write(write_packed, packed, sealed)


@app.command()
def unpack(
    packed: Annotated[str, typer.Argument(metavar="FILE", help="A packed bundle.")],
    directory: Annotated[Path, typer.Argument(help="To write; must not exist.")],
) -> None:
    """Unpack a bundle; nothing is written before every byte is checked."""
    from ferryman_bundle.writer import write_directory

    sealed, _ = _read(packed)
    _write(lambda path, bundle: write_directory(path, bundle.files), directory, sealed)


def _read(bundle: str) -> tuple[SealedBundle, Path]:
    """Return the checked files of a bundle, and where they are.

    Raises:
        StartError: It cannot be found, or is damaged.
    """
    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import read_bundle

    path = find_bundle(bundle)
    return read_bundle(path), path


def _write(write: Callable[[Path, SealedBundle], None], path: Path, sealed: SealedBundle) -> None:
    """Write a bundle, and say so."""
    from ferryman_bundle import BundleError
    from ferryman_server.start_errors import BundleUnusableError

    try:
        write(path, sealed)
    except BundleError as error:
        raise BundleUnusableError(str(error)) from error
    manifest = sealed.manifest
    typer.echo(f"{manifest.name} {manifest.version} is in {path}", err=True)
