"""``ferryman attention``: a picture of what each piece of a translation looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferryman_quality.settings import Device, Settings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def attention(
    system: Annotated[
        str, typer.Argument(help="Directory of a bundle or checkpoint, or an installed model.")
    ],
    text: Annotated[str, typer.Argument(help="A sentence.")],
    *,
    target: Annotated[
        str | None, typer.Option(help="Its translation. [default: the model's own]")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="What to write: .png, .svg or .pdf.")
    ],
    device: Annotated[Device, typer.Option(help="What to compute on.")] = Device.AUTO,
) -> None:
    """Draw a heat map of attention: source pieces across, target pieces down.

    Each row tells where its target piece came from, as far as attention tells that.
    """
    from ferryman_quality.errors import SettingError
    from ferryman_quality.heat_map import draw
    from ferryman_quality.systems import open_system

    for name, value in (("TEXT", text), ("--target", target)):
        if value is not None and not value.strip():
            raise SettingError(f"{name}: must not be blank")
    found = open_system(system).attend(text, target, Settings(device=device))
    draw(found, output, title=system)
    # The words are what a person recognises a translation by.
    typer.echo(f"{output}: {len(found.source)} source and {len(found.target)} target pieces")
