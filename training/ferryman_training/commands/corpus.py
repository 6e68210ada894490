"""``ferryman corpus``: make a parallel corpus out of text that is freely licensed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


class Target(StrEnum):
    """Languages that there is enough text in."""

    FRENCH = "fr"
    GERMAN = "de"
    SPANISH = "es"
    ITALIAN = "it"


@app.callback()
def corpus() -> None:
    """Make a parallel corpus out of text that is freely licensed."""


@app.command()
def debian(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the corpus.")],
    target: Annotated[Target, typer.Option(help="The language that English is translated to.")],
    sources: Annotated[
        str, typer.Option(metavar="NAME,...", help="Only these sources. Default: all.")
    ] = "",
    downloads: Annotated[
        Path | None,
        typer.Option(help="Folder for packages and indexes. Default: OUT/downloads."),
    ] = None,
    mirror: Annotated[
        str, typer.Option(metavar="URL", envvar="FERRYMAN_DEBIAN_MIRROR", help="Debian mirror.")
    ] = "https://deb.debian.org/debian",
    suite: Annotated[str, typer.Option(help="Release of Debian.")] = "bookworm",
    held_out: Annotated[
        int, typer.Option(min=0, help="Pairs to validate and to test with, each, at most.")
    ] = 2_000,
    seed: Annotated[int, typer.Option(help="Decides which pairs are held out.")] = 20261121,
) -> None:
    """Make a corpus from the documentation and programs that Debian ships with translations.

    It downloads up to 700 MB and needs no Debian. Stopped, the same command goes on with the
    downloads. Proxies come from http_proxy, https_proxy and no_proxy.
    """
    from rich.console import Console

    from ferryman_training.debian.builder import Order, build_corpus
    from ferryman_training.debian.mirror import Mirror
    from ferryman_training.debian.sources import NAMES
    from ferryman_training.debian.terminal import TerminalWatch
    from ferryman_training.errors import TrainingError

    chosen = tuple(sources.split(",")) if sources else NAMES
    unknown = sorted(set(chosen) - set(NAMES))
    if unknown:
        raise typer.BadParameter(
            f"there is no {', '.join(unknown)}; there are {', '.join(NAMES)}",
            param_hint="--sources",
        )
    order = Order(language=target.value, sources=chosen, held_out=held_out, seed=seed)
    place = Mirror(mirror.rstrip("/"), suite, downloads or out / "downloads")
    console = Console(stderr=True)
    try:
        with TerminalWatch(console) as watch:
            parts = build_corpus(order, place, out, watch=watch)
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    typer.echo(
        f"{out}: {len(parts.train):,} training, {len(parts.valid):,} validation and "
        f"{len(parts.test):,} test pairs; SOURCES.md says where they are from"
    )


if __name__ == "__main__":
    app()
