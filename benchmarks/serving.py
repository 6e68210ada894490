"""Requests a second that ferryman's server and CTranslate2 behind a micro-batcher can take.

Run it from the root of the repository, on at least two cores; see README.md in this folder:

    python -m benchmarks.serving PAIRS.tsv OUT
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks.ctranslate2_format import convert
from benchmarks.environment import read_environment
from benchmarks.loads import DEFAULT_BUNDLE, read_sources
from benchmarks.measurement import ratios
from benchmarks.open_loop import highest, keeps, one_by_one, percentile, poisson_arrivals
from benchmarks.results import Results
from benchmarks.serving_figures import Capacity, chart, table
from benchmarks.serving_processes import Caller, ctranslate2_server, ferryman_server
from ferryman_bundle import Bundle

_SHARE: Final = 0.99
_BOUND: Final = 3
"""Times the unloaded latency."""
_UNLOADED: Final = 200
"""Requests to measure that with."""
_SENTENCES: Final = 2000

Start = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """Of the micro-batcher."""

    max_batch_size: int
    wait_milliseconds: float


_SETTINGS: Final = tuple(itertools.starmap(Setting, itertools.product((8, 16, 32), (0, 2, 5))))


def main(
    pairs: Annotated[Path, typer.Argument(help="Source TAB target lines; sources are sent.")],
    out: Annotated[Path, typer.Argument(help="A folder for serving.json and serving.png.")],
    bundle: Annotated[Path, typer.Option(help="A Transformer.")] = DEFAULT_BUNDLE,
    seconds: Annotated[float, typer.Option(help="That each rate is sent for.")] = 20,
    bisections: Annotated[int, typer.Option(help="Of each search for the highest rate.")] = 5,
    repetitions: Annotated[int, typer.Option(help="Searches for each server.", min=1)] = 3,
) -> None:
    """Find the highest rates at which latencies stay within the same bound."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise typer.BadParameter("the server and the load generator need a core each")
    environment = read_environment("onnxruntime", "ctranslate2", "grpcio")
    results = Results(out, "serving")
    model = Bundle.load(bundle)
    sentences = [model.tokenizer.decode(ids) for ids in read_sources(model, pairs, _SENTENCES)]
    os.sched_setaffinity(0, {cores[1]})
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder)
        convert(model, converted)
        trial = _Trial(results.console, sentences, seconds, bisections)
        rivals: dict[Setting, Start] = {
            setting: functools.partial(
                ctranslate2_server, converted, bundle, cores[0], **asdict(setting)
            )
            for setting in _SETTINGS
        }
        ferryman = functools.partial(ferryman_server, bundle, cores[0])
        unloaded = {
            "ferryman": trial.unloaded(ferryman),
            "CTranslate2": trial.unloaded(rivals[_SETTINGS[0]]),
        }
        bound = _BOUND * max(unloaded.values())
        setting = trial.best(rivals, bound)
        servers: dict[str, Start] = {"ferryman": ferryman, "CTranslate2": rivals[setting]}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for repetition, name in itertools.product(range(repetitions), servers):
            rates[name].append(trial.capacity(servers[name], bound, seed=repetition))
    capacity = Capacity(
        unloaded=unloaded,
        bound=bound,
        setting=f"{setting.max_batch_size} sentences, {setting.wait_milliseconds:g} ms",
        rates=rates,
        ratio=ratios(rates["ferryman"], rates["CTranslate2"]),
    )
    results.show(table(capacity), environment)
    results.write(environment, {"capacity": capacity, "seconds": seconds})
    results.draw(functools.partial(chart, capacity), width=7, height=3)


class _Trial:
    """Measurements of servers, each started for one of them.

    Args:
        console: Told of every rate that was tried.
        sentences: That are sent.
        seconds: That each rate is sent for.
        bisections: Of each search.
    """

    def __init__(
        self, console: Console, sentences: list[str], seconds: float, bisections: int
    ) -> None:
        self._console = console
        self._sentences = sentences
        self._seconds = seconds
        self._bisections = bisections
        self._guess = 20.0

    def unloaded(self, start: Start) -> float:
        """Return the latency that 99 % of the requests do not exceed that come one by one."""

        async def measure(address: str) -> float:
            async with Caller(address) as call:
                await one_by_one(call, self._sentences[: _UNLOADED // 4])
                latencies = await one_by_one(call, self._sentences[:_UNLOADED])
            return percentile(latencies, _SHARE)

        with start() as address:
            return asyncio.run(measure(address))

    def best(
        self, rivals: dict[Setting, Callable[[], AbstractContextManager[str]]], bound: float
    ) -> Setting:
        """Return the setting that sustains the highest rate, as far as a quick search tells."""
        rates = {
            setting: self._search(start, bound, seed=0, seconds=self._seconds / 3, bisections=2)
            for setting, start in rivals.items()
        }
        return max(rates, key=rates.__getitem__)

    def capacity(self, start: Start, bound: float, *, seed: int) -> float:
        """Return the requests a second of which 99 % are answered within a bound in seconds."""
        return self._search(
            start, bound, seed=seed, seconds=self._seconds, bisections=self._bisections
        )

    def _search(
        self, start: Start, bound: float, *, seed: int, seconds: float, bisections: int
    ) -> float:
        with start() as address:

            def sustains(rate: float) -> bool:
                due = poisson_arrivals(rate, seconds, seed)

                async def run() -> bool:
                    async with Caller(address) as call:
                        return await keeps(call, self._sentences, due, bound=bound, share=_SHARE)

                kept = asyncio.run(run())
                self._console.print(f"{rate:7.1f}/s: {'kept' if kept else 'late'}")
                return kept

            found = highest(sustains, self._guess, bisections=bisections)
        self._guess = found
        return found


if __name__ == "__main__":
    typer.run(main)
