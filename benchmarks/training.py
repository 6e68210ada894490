"""Times ferryman's trainer beside JoeyNMT on one CPU, with one Transformer and one batch size.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.training CORPUS.tsv --joeynmt .venv-joeynmt/bin/python --json result.json
"""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.measurement import Spread, processor, ratios, turns_of
from benchmarks.training_corpus import write_corpus
from benchmarks.turns import Contender, Turn
from ferryman_training.launch import ALLOCATOR

_BASELINE: Final = "JoeyNMT, ferryman's batches"
"""It has the least to do: batches of like length, made before the clock runs."""
_TABLE_WIDTH: Final = 130
_SEED: Final = 20261121


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One trainer."""

    system: str
    parameters: int
    turns: tuple[Turn, ...]
    """Of each round."""
    ratio: Spread
    """Its target tokens a second, over those of the baseline in the same round."""
    cpu_ratio: Spread
    """The same for each second of CPU time, which a busy machine disturbs less."""


def main(
    corpus: Annotated[Path, typer.Argument(help="Source TAB target lines; .gz and .xz too.")],
    *,
    joeynmt: Annotated[Path, typer.Option(help="Python of an environment with JoeyNMT 2.3.")],
    pairs: Annotated[int, typer.Option(help="How many, from the first.", min=1)] = 20_000,
    vocabulary: Annotated[int, typer.Option(help="SentencePiece pieces.", min=400)] = 8192,
    tokens: Annotated[
        int, typer.Option(help="Batch: sentences times the longest side.", min=256)
    ] = 4096,
    updates: Annotated[int, typer.Option(help="Of each trainer in a round.", min=1)] = 4,
    rounds: Annotated[int, typer.Option(help="Turns of each trainer.", min=1)] = 5,
    threads: Annotated[int, typer.Option(help="Of each trainer.", min=1)] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
) -> None:
    """Train with ferryman and with JoeyNMT in turn, and compare target tokens a second."""
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        (folder / "joeynmt").mkdir()
        write_corpus(corpus, folder, pairs=pairs, vocabulary=vocabulary, tokens=tokens, seed=_SEED)
        log = stack.enter_context((folder / "log").open("wb"))
        environment = {
            **os.environ,
            # As `ferryman train` sets it; JoeyNMT gains as much by it.
            **ALLOCATOR,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONWARNINGS": "ignore",
        }
        contenders = {
            name: stack.enter_context(Contender(command, environment, log))
            for name, command in _commands(folder, joeynmt, tokens).items()
        }
        _require_same_model(console, contenders)
        for contender in contenders.values():
            contender.turn(1)  # the first update allocates
        turns = turns_of(
            {name: functools.partial(c.turn, updates) for name, c in contenders.items()}, rounds
        )
        measured = _measurements(contenders, turns)
    caption = f"{processor()} · {threads} thread(s) · {tokens} tokens a batch · {updates} updates"
    console.print(_table(measured, caption))
    if json_file is not None:
        figures = {"setting": caption, "measurements": [asdict(m) for m in measured]}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _commands(folder: Path, joeynmt: Path, tokens: int) -> dict[str, list[str]]:
    """Return what starts each trainer."""
    ours = [sys.executable, "-m", "benchmarks.training_ferryman", str(folder)]
    theirs = [str(joeynmt), "-m", "benchmarks.training_joeynmt", str(folder)]
    return {
        "ferryman float32": [*ours, "float32", str(tokens)],
        "ferryman bfloat16": [*ours, "bfloat16", str(tokens)],
        _BASELINE: [*theirs, "given", str(tokens)],
        "JoeyNMT, its own batches": [*theirs, "own", str(tokens)],
    }


def _require_same_model(console: Console, contenders: Mapping[str, Contender]) -> None:
    """Stop where one model is larger than another."""
    sizes = {name: contender.parameters for name, contender in contenders.items()}
    if len(set(sizes.values())) > 1:
        console.print(f"These are not the same model: {sizes}")
        raise typer.Exit(1)


def _measurements(
    contenders: Mapping[str, Contender], turns: Mapping[str, Sequence[Turn]]
) -> list[Measurement]:
    """Hold every trainer against the baseline, round by round."""
    by_clock = {name: [turn.amount / turn.wall for turn in own] for name, own in turns.items()}
    by_cpu = {name: [turn.amount / turn.cpu for turn in own] for name, own in turns.items()}
    return [
        Measurement(
            system=name,
            parameters=contenders[name].parameters,
            turns=tuple(own),
            ratio=ratios(by_clock[name], by_clock[_BASELINE]),
            cpu_ratio=ratios(by_cpu[name], by_cpu[_BASELINE]),
        )
        for name, own in turns.items()
    ]


def _table(measured: Sequence[Measurement], caption: str) -> Table:
    """Lay the figures out; a ratio above 1 is faster than JoeyNMT."""
    table = Table(
        title="Target tokens a second, padding not counted; min / median / max of the rounds",
        caption=caption,
    )
    table.add_column("trainer", no_wrap=True)
    for heading in ("parameters", "tokens/s", "tokens / CPU s", "ratio", "ratio of CPU time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        wall = Spread.of([turn.amount / turn.wall for turn in row.turns])
        cpu = Spread.of([turn.amount / turn.cpu for turn in row.turns])
        table.add_row(
            row.system,
            f"{row.parameters:,}",
            *(f"{s.least:,.0f} / {s.median:,.0f} / {s.greatest:,.0f}" for s in (wall, cpu)),
            *("1" if row.system == _BASELINE else r.render() for r in (row.ratio, row.cpu_ratio)),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
