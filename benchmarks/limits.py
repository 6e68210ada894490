"""What this machine can do, and how much of it a decode step reaches.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.limits OUT --base BASE/bundle
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import track

from benchmarks.bandwidth import cache_sizes, places, read_rate
from benchmarks.environment import read_environment
from benchmarks.gemm import Matrix, Precision, Product, matrices_of, product_seconds
from benchmarks.limits_figures import chart, product_table, profile_table, rate_table, step_table
from benchmarks.loads import DEFAULT_BUNDLE
from benchmarks.results import Results
from benchmarks.step_floor import floor_of, state_bytes
from benchmarks.step_runs import Step, StepRun
from ferryman_bundle import Bundle

_ROWS: Final = (1, 8, 32, 64, 256)
_BATCHES: Final = (1, 32)
_STEPS: Final = 32
_SOURCE_LENGTH: Final = 23
"""Tokens of every source, with its end a multiple of 8."""
_REPETITIONS: Final = 9

_WEIGHT_BYTES: Final[dict[Precision, int]] = {"int8": 1, "fp32": 4}


def main(
    out: Annotated[Path, typer.Argument(help="A folder for limits.json and limits.png.")],
    tiny: Annotated[Path, typer.Option(help="Bundle of a small Transformer.")] = DEFAULT_BUNDLE,
    base: Annotated[
        Path | None, typer.Option(help="Bundle of `benchmarks.base_model`, or a trained one.")
    ] = None,
) -> None:
    """Measure memory and matrix products, and hold decode steps against them."""
    environment = read_environment("onnxruntime", "numpy")
    results = Results(out, "limits")
    rates = {
        f"{place}, {size / 2**20:.0f} MiB": read_rate(size)
        for place, size in places(cache_sizes()).items()
    }
    bundles = {"tiny": Bundle.load(tiny)}
    if base is not None:
        bundles["base"] = Bundle.load(base)
    products = [
        Product(
            matrix=matrix,
            rows=rows,
            seconds={kind: product_seconds(matrix, rows, kind) for kind in _WEIGHT_BYTES},
        )
        for matrix, rows in track(
            [(m, rows) for b in bundles.values() for m in _shapes(b) for rows in _ROWS],
            "Products",
            console=results.console,
        )
    ]
    steps = [
        _step(scale, bundles[scale], kind, sources, products)
        for scale, kind, sources in track(
            [(s, v, n) for s in bundles for v in _WEIGHT_BYTES for n in _BATCHES],
            "Steps",
            console=results.console,
        )
    ]
    for table in (rate_table(rates), product_table(products), profile_table(steps)):
        results.console.print(table)
    results.show(step_table(steps), environment)
    results.write(environment, {"read_rates": rates, "products": products, "steps": steps})
    results.draw(functools.partial(chart, steps), width=9, height=1.5 + 0.5 * len(steps))


def _shapes(bundle: Bundle) -> list[Matrix]:
    return sorted(set(matrices_of(bundle, "step", "fp32")))


def _step(
    scale: str, bundle: Bundle, variant: Precision, sources: int, products: list[Product]
) -> Step:
    """Measure a step of so many sentences, and reckon its floor."""
    matrices = matrices_of(bundle, "step", variant)
    seconds = {p.matrix: p.seconds[variant] for p in products if p.rows == sources}
    state = state_bytes(
        bundle.manifest.variants[variant].state,
        sources=sources,
        width=1,
        source_length=_SOURCE_LENGTH + 1,
        length=(_STEPS + 1) // 2,  # on average
    )
    weight_bytes = _WEIGHT_BYTES[variant]
    read = sum(matrix.weights for matrix in matrices) * weight_bytes + state
    run = StepRun(bundle, variant, sources=sources, source_length=_SOURCE_LENGTH, steps=_STEPS)
    return Step(
        scale=scale,
        variant=variant,
        sources=sources,
        floor=floor_of(
            matrices,
            seconds=seconds.__getitem__,
            weight_bytes=weight_bytes,
            state=state,
            rate=read_rate(read),
        ),
        graph=run.graph_seconds(_REPETITIONS),
        engine=run.engine_seconds(_REPETITIONS),
        operators=run.profile(),
    )


if __name__ == "__main__":
    typer.run(main)
