"""How well and how fast a bundle translates a test set, through the engine that serves it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.exit_codes import ExitCode
from ferryman_bundle import Bundle
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Engine, Job, Result, Statistics
from ferryman_server.text.passage import Passage, TextOptions, prepare_passage

_MOST_UNDER_WAY: Final = 512
"""Lines in the engine at a time: enough to keep batches full, few enough for its queue."""
_WHOLE_LINES: Final = TextOptions(split_sentences=False)


class CorpusError(ValueError):
    """A test set that cannot be read: one line that names the file, the line and the fault."""

    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its reference translation."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Figures of translations against their references."""

    bleu: float
    """Corpus BLEU, from 0 to 100."""
    bleu_signature: str
    """sacreBLEU's signature: without it a BLEU figure means nothing."""
    chrf: float
    """Corpus chrF, from 0 to 100."""
    chrf_signature: str


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


def read_pairs(path: Path) -> list[Pair]:
    """Read a test set: one pair a line, source TAB target, UTF-8.

    Raises:
        CorpusError: There is no such file, or a line is no pair.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8 at byte {error.start}") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        fields = line.rstrip("\r").split("\t")
        if len(fields) == 2 and all(field.strip() for field in fields):
            pairs.append(Pair(*fields))
        elif line.strip():
            raise CorpusError(f"{path}:{number}: must be source TAB target, neither of them blank")
    if not pairs:
        raise CorpusError(f"{path}: has no sentence pairs")
    return pairs


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
    pairs: Sequence[Pair],
    options: AppliedOptions,
    *,
    on_line: Callable[[], None] = lambda: None,
) -> tuple[list[str], Run]:
    """Translate a test set through an engine that has done nothing else, and count what it took."""
    started = time.perf_counter()
    translations = translate_lines(
        engine, bundle, [pair.source for pair in pairs], options, on_line=on_line
    )
    seconds = time.perf_counter() - started
    return translations, Run(sentences=len(pairs), seconds=seconds, statistics=engine.statistics())


def score(translations: Sequence[str], references: Sequence[str]) -> Scores:
    """Score translations with sacreBLEU."""
    # Not needed to serve, so it comes with the extra `evaluate`.
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(), CHRF()
    return Scores(
        bleu=bleu.corpus_score(translations, [references]).score,
        bleu_signature=str(bleu.get_signature()),
        chrf=chrf.corpus_score(translations, [references]).score,
        chrf_signature=str(chrf.get_signature()),
    )
