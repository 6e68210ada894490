"""``ferryman export``: from a checkpoint to a bundle that carries its proof."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from ferryman_bundle.manifest import Storage
from ferryman_export.recipe import FP16, FP32, INT8, PORTABLE, Recipe

if TYPE_CHECKING:
    from ferryman_training.corpus import SentencePair
    from ferryman_training.corpus_config import CorpusPart


class _Choice(StrEnum):
    """The variants that can be asked for by name."""

    FP32 = FP32.name
    INT8 = INT8.name
    FP16 = FP16.name


app = typer.Typer(add_completion=False)

_DEV_SENTENCES: Final = 500
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
        Storage, typer.Option(help="How matrices are stored; all variants share them.")
    ] = Storage.INT8,
    variants: Annotated[
        list[_Choice] | None,
        typer.Option(
            "--variant",
            help="What the graphs compute with; may be given several times.",
            show_default="fp32; of a Transformer stored as int8, int8 too",
        ),
    ] = None,
    portable: Annotated[
        bool,
        typer.Option(
            "--portable",
            help="One variant only, of standard ONNX operators, that runs on any provider.",
        ),
    ] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="TSV of sentence pairs to calibrate int8 with.",
            show_default="the training part of the run's corpus",
        ),
    ] = None,
    calibration_count: Annotated[
        int, typer.Option(help="How many of them are used, evenly spread.", min=1)
    ] = 300,
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
        Path | None,
        typer.Option(
            help="TSV of sentence pairs to measure BLEU and chrF on.",
            show_default="the validation part of the run's corpus",
        ),
    ] = None,
    test_count: Annotated[
        int | None,
        typer.Option(
            help="How many of them are used, evenly spread; 0 measures nothing.",
            min=0,
            show_default=f"all of --test, or {_DEV_SENTENCES} of the validation part",
        ),
    ] = None,
    with_shortlist: Annotated[
        bool,
        typer.Option(
            "--shortlist",
            help="Learn a shortlist from the run's corpus: faster steps for requests that ask for "
            "it, at a cost that the card tells.",
        ),
    ] = False,
    beam_size: Annotated[int, typer.Option(help="Default search: beam size.", min=1)] = 4,
    length_penalty: Annotated[
        float, typer.Option(help="Default search: exponent of the length.")
    ] = 1.0,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Write variants that fall short, and say so in the card for ever.",
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
    from ferryman_export.learning import MOST_PAIRS, learn_from
    from ferryman_export.phases import Phases
    from ferryman_export.proof import Evidence
    from ferryman_training.checkpoint import Checkpoint
    from ferryman_training.corpus import read_pairs
    from ferryman_training.errors import TrainingError

    try:
        trained = Checkpoint.load(checkpoint)
        corpus = trained.config.corpus
        pairs = read_pairs(sentences or corpus.valid)
        recipes = _recipes(storage, variants, portable=portable)
        examples = read_pairs(calibration or corpus.train[0]) if INT8 in recipes else []
        phases, shortlist = Phases(console), None
        if with_shortlist:
            everything = [pair for part in corpus.train for pair in read_pairs(part)]
            learnt_from = _spread(everything, MOST_PAIRS)
            shortlist = learn_from(learnt_from, trained.tokenizer, phases=phases)
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
            recipes=recipes,
            search=SearchSettings(beam_size=beam_size, length_penalty=length_penalty),
            evidence=Evidence(
                parity=_spread(pairs, sentence_count),
                calibration=_spread(examples, calibration_count),
                test=_spread(read_pairs(test or corpus.valid), _count(test, test_count)),
                test_set=_name(test or corpus.valid),
                accept_loss=accept_loss,
            ),
            phases=phases,
            shortlist=shortlist,
        )
    except (ExportError, TrainingError, BundleError, OSError, UnicodeDecodeError) as error:
        console.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    console.print(f"{manifest.name} {manifest.version} is in {bundle}", highlight=False)


def _recipes(storage: Storage, chosen: list[_Choice] | None, *, portable: bool) -> list[Recipe]:
    """Return the variants to make, the most exact first.

    Raises:
        ExportError: They do not go with how matrices are stored, or with each other.
    """
    from ferryman_export.errors import ExportError

    if portable:
        if chosen is not None:
            raise ExportError("a portable bundle has one variant: leave out --variant")
        return [PORTABLE]
    if chosen is None:
        return [FP32, INT8] if storage is Storage.INT8 else [FP32]
    if _Choice.FP32 not in chosen:
        raise ExportError("every bundle has the variant fp32: add --variant fp32")
    if _Choice.INT8 in chosen and storage is not Storage.INT8:
        raise ExportError(
            f"--variant int8 computes with the stored bytes, but --storage is {storage.value}"
        )
    return [recipe for recipe in (FP32, INT8, FP16) if recipe.name in chosen]


def _name(test: Path | CorpusPart) -> str:
    files = (test,) if isinstance(test, Path) else test.files
    return ", ".join(path.name for path in files)


def _count(test: Path | None, chosen: int | None) -> int:
    """Return how many pairs of the test set are translated."""
    if chosen is not None:
        return chosen
    return _DEV_SENTENCES if test is None else sys.maxsize


def _spread(pairs: Sequence[SentencePair], count: int) -> Sequence[SentencePair]:
    """Return so many pairs, evenly spread, or all of them if there are fewer."""
    if count == 0:
        return []
    return pairs[:: max(1, len(pairs) // count)][:count]
