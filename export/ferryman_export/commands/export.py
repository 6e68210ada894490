"""``ferryman export``: from a checkpoint to a bundle that carries its proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ferryman_bundle.manifest import Storage

app = typer.Typer(add_completion=False)

_NO_LICENCE = (
    "No licence was stated when this bundle was made. Ask whoever gave it to you what you may do\n"
    "with it.\n"
)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="Directory that `ferryman train` wrote.")],
    bundle: Annotated[Path, typer.Argument(help="Directory to write; must not exist.")],
    *,
    name: Annotated[
        str, typer.Option(help="Name of the model.", show_default="the name of the run")
    ] = "",
    version: Annotated[str, typer.Option(help="Version of the model.")] = "0.1.0",
    description: Annotated[str, typer.Option(help="One sentence about the model.")] = "",
    licence: Annotated[
        str, typer.Option(help="SPDX expression, or a sentence.")
    ] = "No licence was stated.",
    licence_file: Annotated[
        Path | None, typer.Option(help="Text of the licence.", exists=True, dir_okay=False)
    ] = None,
    data_file: Annotated[
        Path | None,
        typer.Option(
            help="Markdown for the card about the training data.", exists=True, dir_okay=False
        ),
    ] = None,
    storage: Annotated[
        Storage, typer.Option(help="How matrices are stored; they compute in float32.")
    ] = Storage.INT8,
    sentences: Annotated[
        Path | None,
        typer.Option(
            help="TSV of real sentence pairs to prove the graphs with.",
            show_default="the validation part of the run's corpus",
        ),
    ] = None,
    sentence_count: Annotated[
        int, typer.Option(help="How many of them are used, evenly spread.", min=1)
    ] = 200,
    test: Annotated[
        Path | None, typer.Option(help="TSV of sentence pairs to measure BLEU and chrF on.")
    ] = None,
    beam_size: Annotated[int, typer.Option(help="Default search: beam size.", min=1)] = 4,
    length_penalty: Annotated[
        float, typer.Option(help="Default search: exponent of the length.")
    ] = 1.0,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="Write graphs that do not agree, and say so in the card."
        ),
    ] = False,
) -> None:
    """Export CHECKPOINT to ONNX, prove it against torch, and write it to BUNDLE."""
    console = Console(stderr=True)
    # torch and ONNX take seconds to import; --help must not wait for them.
    from ferryman_bundle import BundleError
    from ferryman_bundle.manifest import SearchSettings
    from ferryman_export.build import build_bundle
    from ferryman_export.description import Description
    from ferryman_export.errors import ExportError
    from ferryman_export.phases import Phases
    from ferryman_export.proof import Evidence
    from ferryman_training.checkpoint import Checkpoint
    from ferryman_training.corpus import read_pairs
    from ferryman_training.errors import TrainingError

    try:
        trained = Checkpoint.load(checkpoint)
        corpus = trained.config.corpus
        pairs = read_pairs(sentences or corpus.valid)
        manifest = build_bundle(
            trained,
            bundle,
            description=Description(
                name=name or trained.config.name,
                version=version,
                description=description
                or f"Translates from {corpus.source_language} to {corpus.target_language}.",
                licence=licence,
                licence_text=licence_file.read_text("utf-8") if licence_file else _NO_LICENCE,
                data=data_file.read_text("utf-8") if data_file else None,
            ),
            storage=storage,
            search=SearchSettings(beam_size=beam_size, length_penalty=length_penalty),
            evidence=Evidence(
                parity=pairs[:: max(1, len(pairs) // sentence_count)][:sentence_count],
                test_set=test.name if test else None,
                test=read_pairs(test) if test else [],
                accept_loss=accept_loss,
            ),
            phases=Phases(console),
        )
    except (ExportError, TrainingError, BundleError, OSError, UnicodeDecodeError) as error:
        console.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(f"{manifest.name} {manifest.version} is in {bundle}", highlight=False)
