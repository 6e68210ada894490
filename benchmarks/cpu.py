"""Times ferryman's engine beside CTranslate2 on one CPU thread, with one model and one text.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.cpu BUNDLE PAIRS.tsv --json result.json
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ctranslate2_format import convert
from benchmarks.measurement import (
    Spread,
    Timing,
    identical_share,
    processor,
    ratios,
    time_in_turn,
)
from benchmarks.systems import (
    CANDIDATE_BATCH_SIZES,
    ComputeType,
    CTranslate2,
    Ferryman,
    Ids,
    Load,
    System,
)
from ferryman_bundle import Bundle
from ferryman_quality import read_pairs

_LEAST_IDENTICAL: Final = 0.98
"""Of greedy answers in float32. Rounding may turn a tie, a wrong conversion turns far more."""
_COMPUTE_TYPES: Final[Mapping[ComputeType, str]] = {"float32": "fp32", "int8": "int8"}
"""Of CTranslate2, and the variant of a bundle that computes like it."""
_ONE_BY_ONE_SENTENCES: Final = 100
_BEAM_SIZE: Final = 4
_TABLE_WIDTH: Final = 150
"""Columns on stdout even where it is a file, for which rich would fold the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One system under one workload."""

    workload: str
    system: str
    sentences: int
    max_batch_size: int | None
    """Of CTranslate2; None where it does not apply."""
    identical: float
    """Share of sentences answered with the same tokens as ferryman's, from 0 to 1."""
    timings: tuple[Timing, ...]
    """Of each round."""
    wall_ratio: Spread
    """Its time over ferryman's of the same round."""
    cpu_ratio: Spread
    """The same of CPU time, which a busy machine disturbs less."""


def main(
    bundle_directory: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A Transformer.")],
    pairs: Annotated[Path, typer.Argument(help="Source TAB target lines; sources are used.")],
    sentences: Annotated[int, typer.Option(help="How many, from the first.", min=1)] = 500,
    rounds: Annotated[int, typer.Option(help="Times that each system runs.", min=1)] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
) -> None:
    """Time ferryman's engine and CTranslate2 in turn, and compare what they answer."""
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    bundle = Bundle.load(bundle_directory)
    sources = _sources(bundle, pairs, sentences)
    loads = {
        "file, greedy": Load.of(bundle, sources, beam_size=1),
        f"file, beam {_BEAM_SIZE}": Load.of(bundle, sources, beam_size=_BEAM_SIZE),
        "one by one, greedy": Load.of(
            bundle, sources[:_ONE_BY_ONE_SENTENCES], beam_size=1, one_by_one=True
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        convert(bundle, Path(folder))
        rivals = [CTranslate2(Path(folder), bundle, kind) for kind in _COMPUTE_TYPES]
    tokens = sum(len(ids) + 1 for ids in sources)
    variants = _COMPUTE_TYPES.values()
    ours = [Ferryman(bundle, variant, max_queued_tokens=tokens) for variant in variants]
    try:
        _require_same_model(console, ours[0], rivals[0], loads["file, greedy"])
        measured = [
            measurement
            for workload, load in loads.items()
            for one, rival in zip(ours, rivals, strict=True)
            for measurement in _measure(workload, load, one, rival, rounds)
        ]
    finally:
        for one in ours:
            one.close()
    environment = _environment()
    console.print(_table(measured, " · ".join(environment.values())))
    if json_file is not None:
        figures = {"environment": environment, "measurements": [asdict(m) for m in measured]}
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _sources(bundle: Bundle, pairs: Path, sentences: int) -> list[Ids]:
    """Tokenise the first sentences that the model can read whole."""
    encoded = (tuple(bundle.tokenizer.encode(pair.source)) for pair in read_pairs(pairs))
    limit = bundle.manifest.limits.max_source_tokens
    return [ids for ids in encoded if 0 < len(ids) <= limit][:sentences]


def _require_same_model(console: Console, ours: System, theirs: CTranslate2, load: Load) -> None:
    """Stop where the systems do not answer alike: there is no comparing different models."""
    share = identical_share(ours.ids(ours.translate(load)), theirs.ids(theirs.translate(load)))
    console.print(f"{theirs.name}: {share:.1%} of {len(load.sources)} greedy answers identical")
    if share < _LEAST_IDENTICAL:
        console.print(f"That is below {_LEAST_IDENTICAL:.0%}: the conversion is wrong.")
        raise typer.Exit(1)


def _measure(
    workload: str, load: Load, ours: System, rival: CTranslate2, rounds: int
) -> list[Measurement]:
    """Run one workload on two systems; what comes before the rounds warms them up."""
    reference = ours.ids(ours.translate(load))
    identical = {ours.name: 1.0}
    rival.max_batch_size = 1 if load.one_by_one else _best_batch_size(rival, load)
    identical[rival.name] = identical_share(reference, rival.ids(rival.translate(load)))
    systems: list[System] = [ours, rival]
    timings = time_in_turn(
        {system.name: functools.partial(system.translate, load) for system in systems},
        rounds=rounds,
    )
    walls = {name: [timing.wall for timing in timings[name]] for name in timings}
    cpus = {name: [timing.cpu for timing in timings[name]] for name in timings}
    return [
        Measurement(
            workload=workload,
            system=system.name,
            sentences=len(load.sources),
            max_batch_size=system.max_batch_size if isinstance(system, CTranslate2) else None,
            identical=identical[system.name],
            timings=tuple(timings[system.name]),
            wall_ratio=ratios(walls[system.name], walls[ours.name]),
            cpu_ratio=ratios(cpus[system.name], cpus[ours.name]),
        )
        for system in systems
    ]


def _best_batch_size(rival: CTranslate2, load: Load) -> int:
    """Return the batch size with which CTranslate2 needs the least CPU time here."""

    def cost(size: int) -> float:
        rival.max_batch_size = size
        run = functools.partial(rival.translate, load)
        return time_in_turn({rival.name: run}, rounds=1)[rival.name][0].cpu

    return min(CANDIDATE_BATCH_SIZES, key=cost)


def _environment() -> dict[str, str]:
    """Say what the figures hold for."""
    packages = ("onnxruntime", "ctranslate2")
    return {"processor": processor(), **{name: f"{name} {version(name)}" for name in packages}}


def _table(measured: Sequence[Measurement], caption: str) -> Table:
    """Lay the figures out; a ratio above 1 says that ferryman is faster."""
    table = Table(
        title="One thread each. Ratio: time / ferryman's of the same round; min / median / max",
        caption=caption,
    )
    table.add_column("workload", no_wrap=True)
    table.add_column("system", no_wrap=True)
    for heading in ("sentences", "batch", "wall s", "CPU s", "CPU ms/sentence", "identical"):
        table.add_column(heading, justify="right")
    for heading in ("wall ratio", "CPU ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        wall = Spread.of([timing.wall for timing in row.timings]).median
        cpu = Spread.of([timing.cpu for timing in row.timings]).median
        first = row.system.startswith("ferryman")
        table.add_row(
            row.workload if first else "",
            row.system,
            str(row.sentences),
            "" if row.max_batch_size is None else str(row.max_batch_size),
            f"{wall:.2f}",
            f"{cpu:.2f}",
            f"{1000 * cpu / row.sentences:.1f}",
            f"{row.identical:.1%}",
            *("1" if first else ratio.render() for ratio in (row.wall_ratio, row.cpu_ratio)),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
