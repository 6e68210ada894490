"""Times ferryman's engine beside CTranslate2 on the CPU, with the same weights and sentences.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.cpu PAIRS.tsv OUT --base BASE/bundle
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import track

from benchmarks.cpu_figures import chart, table
from benchmarks.cpu_runs import Measurement, Model, measure, shared_greedy_answers
from benchmarks.ctranslate2_format import convert
from benchmarks.ctranslate2_settings import choose_kernels
from benchmarks.environment import read_environment
from benchmarks.loads import (
    DEFAULT_BUNDLE,
    Ids,
    as_words_of,
    has_random_weights,
    read_sources,
    spread,
)
from benchmarks.results import Results
from benchmarks.workloads import WORKLOADS, Scale
from ferryman_bundle import Bundle

_LEAST_IDENTICAL: Final = 0.98
"""Of greedy answers in float32. Rounding may turn a tie, a wrong conversion turns far more."""
_COMPARED: Final = 100


def main(
    pairs: Annotated[Path, typer.Argument(help="Source TAB target lines; sources are used.")],
    out: Annotated[Path, typer.Argument(help="A folder for cpu.json and cpu.png.")],
    tiny: Annotated[Path, typer.Option(help="Bundle of a small Transformer.")] = DEFAULT_BUNDLE,
    base: Annotated[
        Path | None, typer.Option(help="Bundle of `benchmarks.base_model`, or a trained one.")
    ] = None,
    sentences: Annotated[int, typer.Option(help="Of a file, tiny.", min=1)] = 500,
    base_sentences: Annotated[int, typer.Option(help="Of a file, base.", min=1)] = 128,
    rounds: Annotated[int, typer.Option(help="Times that each system runs.", min=1)] = 5,
    only: Annotated[
        list[str] | None, typer.Option(help="Part of 'SCALE WORKLOAD'; may be repeated.")
    ] = None,
) -> None:
    """Time ferryman's engine and CTranslate2 in turn, and compare what they answer."""
    kernels = choose_kernels()
    environment = read_environment("onnxruntime", "ctranslate2")
    results = Results(out, "cpu")
    results.console.print(f"CTranslate2 with {kernels}", highlight=False)
    text = Bundle.load(tiny)
    sources = read_sources(text, pairs, sentences)
    with tempfile.TemporaryDirectory() as folder:
        models = [_model("tiny", text, sources, Path(folder))]
        if base is not None:
            chosen = spread(sources, base_sentences)
            models.append(_model("base", Bundle.load(base), chosen, Path(folder)))
        runs = [
            (workload, model)
            for model, workload in itertools.product(models, WORKLOADS)
            if not only or any(part in f"{model.scale} {workload.name}" for part in only)
        ]
        for model in {id(model): model for _, model in runs}.values():
            _require_same_model(results, model)
        measured: list[Measurement] = [
            measure(workload, model, rounds=rounds)
            for workload, model in track(runs, "Measuring", console=results.console)
        ]
    results.show(table(measured), environment)
    results.write(environment, {"kernels": kernels, "measurements": measured})
    results.draw(lambda figure: chart(measured, figure), width=9, height=1.5 + 0.4 * len(measured))


def _model(scale: Scale, bundle: Bundle, sources: list[Ids], folder: Path) -> Model:
    """Convert a bundle, and put the sentences into its vocabulary where it cannot read them."""
    convert(bundle, folder / scale)
    if has_random_weights(bundle):
        sources = as_words_of(bundle, sources)
    return Model(scale, bundle, folder / scale, sources)


def _require_same_model(results: Results, model: Model) -> None:
    """Stop where the systems do not answer alike: there is no comparing different models."""
    share = shared_greedy_answers(model, _COMPARED)
    results.console.print(f"{model.scale}: {share:.1%} of greedy answers in float32 are identical")
    if share < _LEAST_IDENTICAL:
        results.console.print(f"That is below {_LEAST_IDENTICAL:.0%}: the conversion is wrong.")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
