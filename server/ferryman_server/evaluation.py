"""How well and how fast a bundle translates a test set, through the engine that serves it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from ferryman_bundle import Bundle
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Engine, Job, Result, Statistics
from ferryman_server.text.passage import Passage, TextOptions, prepare_passage

_MOST_UNDER_WAY: Final = 512
"""Lines in the engine at a time: enough to keep batches full, few enough for its queue."""
_WHOLE_LINES: Final = TextOptions(split_sentences=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the engine did to translate a test set."""

    sentences: int
    seconds: float
    statistics: Statistics

    @property
    def sentences_per_second(self) -> float:
        """Throughput, splitting and tokenising included."""
        return self.sentences / self.seconds if self.seconds else 0.0

    @property
    def bytes_copied_per_step(self) -> float:
        """State that moved, for each run of the step graph."""
        return self.statistics.bytes_copied / max(self.statistics.steps, 1)


def translate_lines(
    engine: Engine,
    bundle: Bundle,
    lines: Sequence[str],
    options: AppliedOptions,
    *,
    on_line: Callable[[], None] = lambda: None,
) -> list[str]:
    """Translate lines, each as one sentence, the way the service would.

    Args:
        engine: Running the bundle.
        bundle: The model.
        lines: The sources.
        options: How to search.
        on_line: Called after each line, in order.
    """
    passages = (
        prepare_passage(
            line,
            _WHOLE_LINES,
            language=bundle.manifest.language_pairs[0].source,
            encoder=bundle.tokenizer,
            max_tokens=bundle.manifest.limits.max_source_tokens,
        )
        for line in lines
    )
    translations = []
    for passage, results in _decoded(engine, passages, options):
        texts = [bundle.tokenizer.decode(result.hypotheses[0].ids) for result in results]
        translations.append(passage.compose(texts)[0])
        on_line()
    return translations


def _decoded(
    engine: Engine, passages: Iterable[Passage], options: AppliedOptions
) -> Iterator[tuple[Passage, list[Result]]]:
    """Yield passages with the results of their sentences, in order; many are under way at once."""
    under_way: deque[tuple[Passage, list[Future[Result]]]] = deque()
    try:
        for passage in passages:
            jobs = [
                Job(source=s.tokens, search=options.search(len(s.tokens)))
                for s in passage.sentences
            ]
            under_way.append((passage, engine.submit(jobs)))
            if len(under_way) == _MOST_UNDER_WAY:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())
    finally:
        for _, futures in under_way:
            for future in futures:
                future.cancel()


def _finished(passage: Passage, futures: list[Future[Result]]) -> tuple[Passage, list[Result]]:
    return passage, [future.result() for future in futures]


def measure(
    engine: Engine,
    bundle: Bundle,
    sources: Sequence[str],
    options: AppliedOptions,
    *,
    on_line: Callable[[], None] = lambda: None,
) -> tuple[list[str], Run]:
    """Translate a test set through an engine that has done nothing else, and count what it took."""
    started = time.perf_counter()
    translations = translate_lines(engine, bundle, sources, options, on_line=on_line)
    seconds = time.perf_counter() - started
    run = Run(sentences=len(sources), seconds=seconds, statistics=engine.statistics())
    return translations, run
